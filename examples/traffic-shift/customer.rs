//! Where an order is kept.
//!
//! An order is a field of its customer's hash: written once, never changed. So writing it again changes nothing, and two
//! stores that were told the same orders hold the same, in whatever order they were told.

/// How many customers there are; an order belongs to the one that its number says.
pub(crate) const CUSTOMERS: u64 = 200;

/// The hash that an order is kept in.
pub(crate) fn customer_of(order: u64) -> String {
    format!("customer:{}", order % CUSTOMERS)
}
