//! The order document as it travels through the workflow, and the arithmetic its tasks share.
//! Owns types and pure functions; knows nothing of the states that pass them on.

mod date;
mod document;
mod money;
mod reference;
mod work;

pub use date::{InvalidDate, days_between};
pub use document::{
    Address, Carton, Customer, Hazard, Line, Payment, Pick, PricedLine, Reservation, ReservedLine, Service, Totals,
};
pub use money::{Money, VatRate, vat_included, vat_percentage};
pub use reference::reference;
pub use work::work;
