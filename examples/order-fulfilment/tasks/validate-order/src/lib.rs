//! Checks an order and works out its amounts. Answers the priced order, or `InvalidOrder` with every
//! mistake in it.

use std::collections::HashSet;

use order::{
    Address, Customer, Line, Money, Payment, PricedLine, Service, Totals, days_between, vat_included, vat_percentage,
};
use sandstep::TaskError;
use serde::{Deserialize, Serialize};

/// One Map iteration each: more lines than this are a bulk order, which people handle.
const MOST_LINES: usize = 40;
/// Of one line; more is a typing mistake as a rule.
const MOST_PIECES: u32 = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
    placed_at: String,
    currency: String,
    customer: Customer,
    billing_address: Address,
    shipping_address: Address,
    service: Service,
    payment: Payment,
    lines: Vec<Line>,
    /// What the shop showed the customer.
    total: Money,
    #[serde(default)]
    work: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PricedOrder {
    order_id: String,
    placed_at: String,
    currency: String,
    customer: Customer,
    billing_address: Address,
    shipping_address: Address,
    service: Service,
    payment: Payment,
    lines: Vec<PricedLine>,
    totals: Totals,
    work: u32,
}

#[sandstep::task]
fn validate(order: Order) -> Result<PricedOrder, TaskError> {
    order::work(order.work);

    let mut mistakes = Vec::new();
    check_head(&order, &mut mistakes);
    check_address("billingAddress", &order.billing_address, &mut mistakes);
    check_address("shippingAddress", &order.shipping_address, &mut mistakes);
    let lines = price_lines(&order, &mut mistakes);

    let totals = Totals {
        pieces: lines.iter().map(|priced| priced.line.quantity).sum(),
        weight_grams: lines
            .iter()
            .map(|priced| u64::from(priced.line.weight_grams) * u64::from(priced.line.quantity))
            .sum(),
        net: lines.iter().map(|priced| priced.net).sum(),
        vat: lines.iter().map(|priced| priced.vat).sum(),
        gross: lines.iter().map(|priced| priced.gross).sum(),
    };
    // With lines missing the sum can't be right, and saying so would hide the reason.
    if mistakes.is_empty() && totals.gross != order.total {
        mistakes.push(format!(
            "`total` is {}, the lines come to {}",
            order.total, totals.gross
        ));
    }
    if !mistakes.is_empty() {
        return Err(TaskError::new("InvalidOrder", mistakes.join("; ")));
    }

    sandstep::log::info!(
        "{}: {} lines, {} {}",
        order.order_id,
        lines.len(),
        totals.gross,
        order.currency
    );
    Ok(PricedOrder {
        order_id: order.order_id,
        placed_at: order.placed_at,
        currency: order.currency,
        customer: order.customer,
        billing_address: order.billing_address,
        shipping_address: order.shipping_address,
        service: order.service,
        payment: order.payment,
        lines,
        totals,
        work: order.work,
    })
}

fn check_head(order: &Order, mistakes: &mut Vec<String>) {
    let digits = order.order_id.strip_prefix("SO-").unwrap_or_default();
    if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        mistakes.push(format!("`orderId` is `{}`: write `SO-` and a number", order.order_id));
    }
    if let Err(error) = days_between(&order.customer.since, &order.placed_at) {
        mistakes.push(error.to_string());
    }
    if !matches!(order.currency.as_str(), "EUR" | "SEK" | "PLN") {
        mistakes.push(format!("`currency` is `{}`: we take EUR, SEK and PLN", order.currency));
    }
    let (account, domain) = order.customer.email.split_once('@').unwrap_or_default();
    if account.is_empty() || !domain.contains('.') || domain.starts_with('.') || domain.ends_with('.') {
        mistakes.push(format!(
            "`customer.email` is `{}`, which is no address",
            order.customer.email
        ));
    }
    if !order.payment.token.starts_with("tok_") {
        mistakes.push("`payment.token` is no card token".to_owned());
    }
}

fn check_address(field: &str, address: &Address, mistakes: &mut Vec<String>) {
    let digits = match address.country.as_str() {
        "AT" => 4,
        "NL" => 6,
        _ => 5,
    };
    let code = address.postal_code.bytes().filter(u8::is_ascii_alphanumeric).count();
    if code != digits {
        mistakes.push(format!(
            "`{field}.postalCode` is `{}`: {} has {digits} places",
            address.postal_code, address.country
        ));
    }
    for (part, text) in [
        ("name", &address.name),
        ("street", &address.street),
        ("city", &address.city),
    ] {
        if text.trim().is_empty() {
            mistakes.push(format!("`{field}.{part}` is empty"));
        }
    }
}

/// The lines that are right, each with its amounts.
fn price_lines(order: &Order, mistakes: &mut Vec<String>) -> Vec<PricedLine> {
    if order.lines.is_empty() {
        mistakes.push("`lines` is empty".to_owned());
    }
    if order.lines.len() > MOST_LINES {
        mistakes.push(format!(
            "`lines` has {} entries: the most is {MOST_LINES}",
            order.lines.len()
        ));
    }
    let mut seen = HashSet::new();
    let mut priced = Vec::with_capacity(order.lines.len());
    for (index, line) in order.lines.iter().enumerate() {
        if !seen.insert(line.sku.as_str()) {
            mistakes.push(format!(
                "`lines[{index}]` names `{}` again: add up the quantities",
                line.sku
            ));
        }
        match price(line, &order.shipping_address) {
            Ok(line) => priced.push(line),
            Err(mistake) => mistakes.push(format!("`lines[{index}]`: {mistake}")),
        }
    }
    priced
}

fn price(line: &Line, destination: &Address) -> Result<PricedLine, String> {
    if !(1..=MOST_PIECES).contains(&line.quantity) {
        return Err(format!("`quantity` is {}: from 1 to {MOST_PIECES}", line.quantity));
    }
    if line.unit_price <= Money(0) {
        return Err(format!("`unitPrice` is {}", line.unit_price));
    }
    if line.weight_grams == 0 {
        return Err("`weightGrams` is 0".to_owned());
    }
    let list = line
        .unit_price
        .times(line.quantity)
        .ok_or("the amount is out of range")?;
    if line.discount < Money(0) || line.discount > list {
        return Err(format!("`discount` is {} on {list}", line.discount));
    }
    let rate = vat_percentage(&destination.country, &destination.postal_code, line.vat_rate)
        .ok_or_else(|| format!("we don't sell to `{}`", destination.country))?;
    let gross = list - line.discount;
    let vat = vat_included(gross, rate);
    Ok(PricedLine {
        line: line.clone(),
        gross,
        vat,
        net: gross - vat,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use order::{Hazard, VatRate};

    fn address() -> Address {
        Address {
            name: "Mara Lindqvist".to_owned(),
            street: "Hauptstr. 5".to_owned(),
            postal_code: "10827".to_owned(),
            city: "Berlin".to_owned(),
            country: "DE".to_owned(),
        }
    }

    fn line(sku: &str, quantity: u32, unit_price: i64, discount: i64) -> Line {
        Line {
            sku: sku.to_owned(),
            title: "an article".to_owned(),
            quantity,
            unit_price: Money(unit_price),
            discount: Money(discount),
            vat_rate: VatRate::Standard,
            weight_grams: 500,
            hazard: Hazard::None,
        }
    }

    fn order(lines: Vec<Line>, total: i64) -> Order {
        Order {
            order_id: "SO-2025-004711".to_owned(),
            placed_at: "2025-11-03T09:41:00Z".to_owned(),
            currency: "EUR".to_owned(),
            customer: Customer {
                id: "C-1".to_owned(),
                name: "Mara Lindqvist".to_owned(),
                email: "mara@example.org".to_owned(),
                since: "2021-04-18".to_owned(),
                completed_orders: 3,
                chargebacks: 0,
            },
            billing_address: address(),
            shipping_address: address(),
            service: Service::Standard,
            payment: Payment {
                token: "tok_visa".to_owned(),
                brand: "visa".to_owned(),
                last4: "4242".to_owned(),
                issuer_country: "DE".to_owned(),
            },
            lines,
            total: Money(total),
            work: 0,
        }
    }

    #[test]
    fn an_order_is_priced_line_by_line() {
        let priced =
            validate(order(vec![line("A", 2, 5950, 0), line("B", 1, 10000, 1000)], 20900)).expect("a good order");
        assert_eq!(
            priced.totals,
            Totals {
                pieces: 3,
                weight_grams: 1500,
                net: Money(17563),
                vat: Money(3337),
                gross: Money(20900),
            }
        );
    }

    #[test]
    fn every_mistake_is_named() {
        let mut bad = order(
            vec![line("A", 0, 100, 0), line("B", 1, 100, 200), line("B", 1, 100, 0)],
            100,
        );
        bad.currency = "USD".to_owned();
        bad.customer.email = "mara@".to_owned();
        bad.shipping_address.postal_code = "1082".to_owned();
        let failure = validate(bad).err().expect("a bad order");
        assert_eq!(failure.error(), "InvalidOrder");
        for part in [
            "`currency` is `USD`",
            "customer.email",
            "5 places",
            "lines[0]",
            "`discount` is 2.00 on 1.00",
            "names `B` again",
        ] {
            assert!(
                failure.cause().contains(part),
                "`{}` should name {part}",
                failure.cause()
            );
        }
    }

    #[test]
    fn a_total_the_customer_never_saw_is_refused() {
        let failure = validate(order(vec![line("A", 1, 5950, 0)], 5000))
            .err()
            .expect("another total");
        assert_eq!(failure.cause(), "`total` is 50.00, the lines come to 59.50");
    }
}
