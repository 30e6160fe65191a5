//! The parts of the order document that more than one task reads.

use serde::{Deserialize, Serialize};

use crate::money::{Money, VatRate};

/// Who ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// Our number for them.
    pub id: String,
    pub name: String,
    pub email: String,
    /// Date of their account.
    pub since: String,
    pub completed_orders: u32,
    /// Payments they had their bank take back.
    #[serde(default)]
    pub chargebacks: u32,
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    pub name: String,
    pub street: String,
    pub postal_code: String,
    pub city: String,
    /// ISO 3166, two letters.
    pub country: String,
}

/// How they pay. The token stands for a card: this shop never sees the number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    pub token: String,
    pub brand: String,
    pub last4: String,
    /// ISO 3166, two letters.
    pub issuer_country: String,
}

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    Standard,
    Express,
}

/// What carriers ask about a carton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hazard {
    #[default]
    None,
    /// Holds a lithium battery (UN 3481).
    LithiumBattery,
}

/// A line as ordered. Prices are gross.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub sku: String,
    pub title: String,
    pub quantity: u32,
    pub unit_price: Money,
    /// Taken off the whole line.
    #[serde(default)]
    pub discount: Money,
    pub vat_rate: VatRate,
    /// Of one piece.
    pub weight_grams: u32,
    #[serde(default)]
    pub hazard: Hazard,
}

/// A line with its amounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricedLine {
    #[serde(flatten)]
    pub line: Line,
    pub gross: Money,
    pub vat: Money,
    pub net: Money,
}

/// The order's sums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub pieces: u32,
    pub weight_grams: u64,
    pub net: Money,
    pub vat: Money,
    pub gross: Money,
}

/// Pieces to take out of one bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pick {
    pub warehouse: String,
    pub bin: String,
    pub quantity: u32,
}

/// A line and where its pieces lie.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservedLine {
    pub sku: String,
    pub quantity: u32,
    pub weight_grams: u32,
    pub hazard: Hazard,
    pub picks: Vec<Pick>,
}

/// Stock set aside for an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    pub reservation_id: String,
    pub warehouses: Vec<String>,
    pub lines: Vec<ReservedLine>,
}

/// A packed carton of one article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Carton {
    pub sku: String,
    pub warehouse: String,
    pub quantity: u32,
    pub weight_grams: u32,
    pub hazard: Hazard,
}
