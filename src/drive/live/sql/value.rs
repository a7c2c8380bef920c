//! Values of a row as JSON: whole numbers stay whole, exact numbers exact, moments are text (RFC 3339).
//!
//! `PostgreSQL`'s values arrive in its binary format (`src/backend/utils/adt/*.c`, the `_send` functions).

use std::fmt::Write as _;

use serde_json::Value as Json;
use sqlx::postgres::{PgRow, PgTypeKind};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::super::attempt::Locals;
use super::super::secret::hex;

/// Microseconds from 1970 to `PostgreSQL`'s 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970 to `PostgreSQL`'s 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;

/// A row of `SQLite`.
pub(super) fn of_sqlite(row: &SqliteRow) -> Result<Locals, String> {
    let columns = row.columns().iter().enumerate();
    columns.map(|(index, column)| Ok((column.name().to_owned(), sqlite_at(row, index)?))).collect()
}

/// One column of a row of `SQLite`.
pub(super) fn sqlite_at(row: &SqliteRow, index: usize) -> Result<Json, String> {
    sqlite_value(row, index).map_err(|why| format!("column {}: {why}", index + 1))
}

/// A row of `PostgreSQL`.
pub(super) fn of_postgres(row: &PgRow) -> Result<Locals, String> {
    let columns = row.columns().iter().enumerate();
    columns.map(|(index, column)| Ok((column.name().to_owned(), postgres_at(row, index)?))).collect()
}

/// One column of a row of `PostgreSQL`.
pub(super) fn postgres_at(row: &PgRow, index: usize) -> Result<Json, String> {
    let raw = row.try_get_raw(index).map_err(|error| error.to_string())?;
    if raw.is_null() {
        return Ok(Json::Null);
    }
    let bytes = raw.as_bytes().map_err(|error| error.to_string())?;
    let kind = raw.type_info();
    let name = kind.name().to_ascii_lowercase();
    let value = if matches!(kind.kind(), PgTypeKind::Enum(_)) { text(bytes) } else { postgres_value(&name, bytes) };
    value.ok_or_else(|| format!("column {} is of type `{name}`, which is not read: cast it, `::text`", index + 1))
}

fn sqlite_value(row: &SqliteRow, index: usize) -> Result<Json, String> {
    let raw = row.try_get_raw(index).map_err(|error| error.to_string())?;
    if raw.is_null() {
        return Ok(Json::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let text = |error: sqlx::Error| error.to_string();
    match kind.as_str() {
        "INTEGER" | "INT4" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(index).map(Json::from).map_err(text),
        "REAL" => row.try_get_unchecked::<f64, _>(index).map(decimal).map_err(text),
        "BLOB" => row.try_get_unchecked::<Vec<u8>, _>(index).map(|bytes| Json::from(hex(&bytes))).map_err(text),
        _ => row.try_get_unchecked::<String, _>(index).map(Json::from).map_err(text),
    }
}

fn postgres_value(kind: &str, bytes: &[u8]) -> Option<Json> {
    match kind {
        "bool" => Some(Json::Bool(bytes.first()? == &1)),
        "int2" => Some(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        "int4" => Some(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        "int8" => Some(i64::from_be_bytes(bytes.try_into().ok()?).into()),
        "oid" | "xid" | "cid" => Some(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        "xid8" => Some(u64::from_be_bytes(bytes.try_into().ok()?).into()),
        // By its shortest text, or 0.1 becomes 0.10000000149.
        "float4" => Some(exact(&f32::from_be_bytes(bytes.try_into().ok()?).to_string())),
        "float8" => Some(decimal(f64::from_be_bytes(bytes.try_into().ok()?))),
        "numeric" => Some(exact(&numeric(bytes)?)),
        "text" | "varchar" | "char" | "bpchar" | "name" | "unknown" | "\"char\"" | "xml" | "citext" => text(bytes),
        "json" => serde_json::from_slice(bytes).ok(),
        "jsonb" => serde_json::from_slice(bytes.strip_prefix(&[1])?).ok(),
        "timestamptz" => {
            moment(bytes, |micros| jiff::Timestamp::from_microsecond(micros).ok().map(|moment| moment.to_string()))
        }
        "timestamp" => moment(bytes, |micros| {
            let moment = jiff::Timestamp::from_microsecond(micros).ok()?;
            Some(jiff::tz::TimeZone::UTC.to_datetime(moment).to_string())
        }),
        "date" => {
            let days = i64::from(i32::from_be_bytes(bytes.try_into().ok()?)) + EPOCH_DAYS;
            let moment = jiff::Timestamp::from_second(days.checked_mul(86_400)?).ok()?;
            Some(jiff::tz::TimeZone::UTC.to_datetime(moment).date().to_string().into())
        }
        "uuid" => {
            let hex = hex(bytes);
            (hex.len() == 32)
                .then(|| Json::from([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")))
        }
        "bytea" => Some(Json::from(format!("\\x{}", hex(bytes)))),
        "pg_lsn" => {
            let position = u64::from_be_bytes(bytes.try_into().ok()?);
            Some(Json::from(format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)))
        }
        "void" => Some(Json::Null),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<Json> {
    std::str::from_utf8(bytes).ok().map(Json::from)
}

fn moment(bytes: &[u8], shown: impl Fn(i64) -> Option<String>) -> Option<Json> {
    match i64::from_be_bytes(bytes.try_into().ok()?) {
        i64::MAX => Some("infinity".into()),
        i64::MIN => Some("-infinity".into()),
        micros => shown(micros.checked_add(EPOCH_MICROS)?).map(Json::from),
    }
}

/// A decimal number; what is not finite has no number in JSON and is text.
fn decimal(number: f64) -> Json {
    serde_json::Number::from_f64(number).map_or_else(|| Json::from(number.to_string()), Json::Number)
}

/// `numeric_send`: digits of base 10,000 with the place of the first, a sign, and the decimals that are shown.
fn numeric(bytes: &[u8]) -> Option<String> {
    let words: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let (&[count, weight, sign, scale], digits) = words.split_first_chunk::<4>()?;
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    if digits.len() != usize::from(count) {
        return None;
    }
    let weight = i32::from(weight.cast_signed());
    let digit =
        |place: i32| usize::try_from(weight - place).ok().and_then(|index| digits.get(index)).copied().unwrap_or(0);
    let digits_at = |places: std::ops::RangeInclusive<i32>| {
        places.rev().fold(String::new(), |mut text, place| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{:04}", digit(place));
            text
        })
    };
    let mut whole = digits_at(0..=weight.max(0));
    let zeros = whole.len() - whole.trim_start_matches('0').len();
    whole.drain(..zeros.min(whole.len() - 1));
    let scale = usize::from(scale);
    let places = i32::try_from(scale.div_ceil(4)).ok()?;
    let mut fraction = digits_at(-places..=-1);
    fraction.truncate(scale);
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// The number that a decimal text means, where a number can hold all its digits; else the text.
fn exact(text: &str) -> Json {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let significant = if text.contains('.') { digits.trim_matches('0') } else { digits.trim_start_matches('0') };
    // 15 decimal digits survive the way through a binary64 and back.
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && significant.len() <= 15 => decimal(number),
        _ => Json::from(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_numeric_is_a_number_where_a_number_can_hold_it_exactly_and_text_elsewhere() {
        assert_eq!(exact("12345678901234567"), json!(12_345_678_901_234_567_i64));
        assert_eq!(exact("0.001"), json!(0.001));
        assert_eq!(exact("1.50"), json!(1.5));
        assert_eq!(exact("0.1234567890123456789"), json!("0.1234567890123456789"));
        assert_eq!(exact("123456789012345678901234567890"), json!("123456789012345678901234567890"));
        assert_eq!(exact("NaN"), json!("NaN"));
    }

    #[test]
    fn a_binary_numeric_is_read_digit_by_digit() {
        let bytes = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        // 12345.678: digits 1, 2345, 6780 with the first at 10,000^1.
        assert_eq!(numeric(&bytes(&[3, 1, 0, 3, 1, 2345, 6780])).unwrap(), "12345.678");
        // -0.0001
        assert_eq!(numeric(&bytes(&[1, 0xffff, 0x4000, 4, 1])).unwrap(), "-0.0001");
        // 0
        assert_eq!(numeric(&bytes(&[0, 0, 0, 0])).unwrap(), "0");
        // 1e12: one digit, three places up.
        assert_eq!(numeric(&bytes(&[1, 3, 0, 0, 1])).unwrap(), "1000000000000");
        assert_eq!(numeric(&bytes(&[0, 0, 0xc000, 0])).unwrap(), "NaN");
        assert_eq!(numeric(&bytes(&[2, 0, 0, 0])), None);
    }

    #[test]
    fn a_type_that_is_not_read_is_no_value() {
        assert_eq!(postgres_value("interval", &[0; 16]), None);
        assert_eq!(postgres_value("pg_lsn", &0x0016_B374_D848_u64.to_be_bytes()), Some(json!("16/B374D848")));
        assert_eq!(postgres_value("timestamptz", &0_i64.to_be_bytes()), Some(json!("2000-01-01T00:00:00Z")));
        assert_eq!(postgres_value("date", &1_i32.to_be_bytes()), Some(json!("2000-01-02")));
    }
}
