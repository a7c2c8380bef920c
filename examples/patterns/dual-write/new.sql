-- The new store, in PostgreSQL: the same, and how far the backfill has come, of how far it goes. Texts are compared as bytes, as in the old one.
create table orders (number bigint primary key, version bigint not null, writer text collate "C" not null,
  value text not null, at timestamptz not null, taken_by text not null);
create table owed (number bigint primary key, version bigint not null);
create table authority (epoch bigint not null);
insert into authority values (1);
create table watermark (one bool primary key check (one), number bigint not null, until bigint not null);
create role app login;
grant select, insert, update, delete, truncate on all tables in schema public to app;
