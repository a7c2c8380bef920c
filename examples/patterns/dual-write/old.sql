-- The old store, in MariaDB. Orders from earlier times: customers -1 to -200, others down to -5000.
create table orders (number bigint primary key, version bigint not null, writer varchar(32) character set ascii collate ascii_bin not null,
  value varchar(200) not null, at bigint not null, taken_by varchar(8) not null);
create table owed (number bigint primary key, version bigint not null);
create table authority (epoch bigint not null);
insert into authority values (1);
insert into orders select -seq, 1, 'shop', concat('row ', -seq, ' as of 1'), 0, 'old' from seq_1_to_5000;
