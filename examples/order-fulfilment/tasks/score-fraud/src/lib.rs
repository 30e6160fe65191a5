//! Scores how likely an order is fraud: 0 is harmless, 100 is certain. Rules add points and say why; what
//! follows from the score is for the workflow to decide.

use order::{Address, Customer, InvalidDate, Money, Payment, Service, Totals, days_between};
use serde::{Deserialize, Serialize};

/// The scale's end.
const CERTAIN: u32 = 100;
/// An account younger than this is new.
const NEW_ACCOUNT_DAYS: i64 = 30;
/// From here on an order is worth a thief's while.
const HIGH_VALUE: Money = Money(80_000);
/// Mail providers whose addresses live for minutes.
const DISPOSABLE_DOMAINS: &[&str] = &["mailinator.example", "tempmail.example", "10minutes.example"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    placed_at: String,
    customer: Customer,
    billing_address: Address,
    shipping_address: Address,
    service: Service,
    payment: Payment,
    totals: Totals,
    #[serde(default)]
    work: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Score {
    score: u32,
    reasons: Vec<Reason>,
    /// The reasons in one line, for people.
    summary: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reason {
    rule: &'static str,
    points: u32,
    detail: String,
}

#[sandstep::task]
fn score(order: Order) -> Result<Score, InvalidDate> {
    order::work(order.work);

    let reasons = reasons(&order)?;
    let score = reasons.iter().map(|reason| reason.points).sum::<u32>().min(CERTAIN);
    let details: Vec<&str> = reasons.iter().map(|reason| reason.detail.as_str()).collect();
    let summary = match details.as_slice() {
        [] => "nothing suspicious".to_owned(),
        details => format!("fraud score {score} of {CERTAIN}: {}", details.join("; ")),
    };
    sandstep::log::info!("{summary}");
    Ok(Score {
        score,
        reasons,
        summary,
    })
}

fn reasons(order: &Order) -> Result<Vec<Reason>, InvalidDate> {
    let customer = &order.customer;
    let mut reasons = Vec::new();
    let mut add = |rule, points, detail: String| reasons.push(Reason { rule, points, detail });

    let age = days_between(&customer.since, &order.placed_at)?;
    if age < NEW_ACCOUNT_DAYS {
        add(
            "newAccount",
            20,
            format!("the account was opened on {}", date(&customer.since)),
        );
    }
    if customer.chargebacks > 0 {
        let points = 25 * customer.chargebacks.min(3);
        add(
            "chargebacks",
            points,
            format!("payments taken back: {}", customer.chargebacks),
        );
    }
    if order.billing_address.country != order.shipping_address.country {
        add(
            "addressMismatch",
            15,
            format!(
                "billed in {}, shipped to {}",
                order.billing_address.country, order.shipping_address.country
            ),
        );
    }
    if order.payment.issuer_country != order.billing_address.country {
        add(
            "foreignCard",
            20,
            format!(
                "a card from {} billed in {}",
                order.payment.issuer_country, order.billing_address.country
            ),
        );
    }
    let domain = customer.email.rsplit('@').next().unwrap_or_default();
    if DISPOSABLE_DOMAINS.contains(&domain) {
        add("disposableMail", 25, format!("a disposable mail address at {domain}"));
    }
    if order.totals.gross >= HIGH_VALUE && customer.completed_orders == 0 {
        add("highFirstOrder", 15, format!("a first order of {}", order.totals.gross));
    }
    if order.service == Service::Express && order.totals.gross >= HIGH_VALUE && age < NEW_ACCOUNT_DAYS {
        add("hurry", 10, "a new account in a hurry".to_owned());
    }
    if order.shipping_address.name != order.billing_address.name && customer.completed_orders == 0 {
        add("strangerReceives", 5, "somebody else receives a first order".to_owned());
    }
    Ok(reasons)
}

/// The day of a timestamp.
fn date(timestamp: &str) -> &str {
    timestamp.get(..10).unwrap_or(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(country: &str) -> Address {
        Address {
            name: "M".to_owned(),
            street: "S".to_owned(),
            postal_code: "1".to_owned(),
            city: "C".to_owned(),
            country: country.to_owned(),
        }
    }

    fn order() -> Order {
        Order {
            placed_at: "2025-11-03T09:41:00Z".to_owned(),
            customer: Customer {
                id: "C".to_owned(),
                name: "M".to_owned(),
                email: "m@example.org".to_owned(),
                since: "2020-01-01".to_owned(),
                completed_orders: 9,
                chargebacks: 0,
            },
            billing_address: address("DE"),
            shipping_address: address("DE"),
            service: Service::Standard,
            payment: Payment {
                token: "tok_visa".to_owned(),
                brand: "visa".to_owned(),
                last4: "4242".to_owned(),
                issuer_country: "DE".to_owned(),
            },
            totals: Totals {
                pieces: 1,
                weight_grams: 1,
                net: Money(1),
                vat: Money(0),
                gross: Money(1),
            },
            work: 0,
        }
    }

    #[test]
    fn a_good_customer_scores_nothing() {
        let score = score(order()).expect("dates are right");
        assert_eq!((score.score, score.summary.as_str()), (0, "nothing suspicious"));
    }

    #[test]
    fn rules_add_up_to_certain_and_no_further() {
        let mut bad = order();
        bad.customer.since = "2025-11-01".to_owned();
        bad.customer.email = "x@tempmail.example".to_owned();
        bad.customer.chargebacks = 4;
        bad.payment.issuer_country = "US".to_owned();
        let score = score(bad).expect("dates are right");
        assert_eq!(score.score, 100);
        assert_eq!(
            score.reasons.iter().map(|reason| reason.points).collect::<Vec<_>>(),
            [20, 75, 20, 25]
        );
    }

    #[test]
    fn a_broken_date_has_its_own_error() {
        let mut bad = order();
        bad.customer.since = "long ago".to_owned();
        assert!(score(bad).is_err());
    }
}
