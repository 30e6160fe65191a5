//! Charges a card at the payment gateway's test system, which reads from the token how it should behave:
//!
//! - `tok_visa` is charged;
//! - `tok_visa_unavailable_2` is charged after two attempts that find the gateway down;
//! - `tok_visa_declined` is declined.

use order::{Money, Payment, reference};
use sandstep::TaskError;
use serde::{Deserialize, Serialize};

/// What the gateway takes in one charge.
const LIMIT: Money = Money(2_000_000);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    order_id: String,
    amount: Money,
    currency: String,
    payment: Payment,
    #[serde(default)]
    work: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_id: String,
    amount: Money,
    currency: String,
    card: String,
    /// Attempts it took, this one included.
    attempts: u32,
}

/// How the test gateway answers a token.
#[derive(Debug, PartialEq)]
enum Behaviour {
    Charge,
    Decline,
    /// Down for so many attempts.
    Down(u32),
}

#[sandstep::task]
fn charge(charge: Charge) -> Result<Receipt, TaskError> {
    order::work(charge.work);

    let context = sandstep::context();
    let card = format!("{} ending in {}", charge.payment.brand, charge.payment.last4);
    // A gateway that sees the same key again answers with the first charge instead of making another.
    sandstep::log::info!(
        "charging {} {} to {card}, key {}",
        charge.amount,
        charge.currency,
        context.idempotency_key
    );

    match behaviour(&charge.payment.token)? {
        Behaviour::Down(attempts) if context.retry_count < attempts => Err(TaskError::new(
            "GatewayUnavailable",
            format!("no answer to attempt {}", context.retry_count + 1),
        )),
        Behaviour::Decline => Err(TaskError::new("CardDeclined", format!("the bank declined {card}"))),
        Behaviour::Charge | Behaviour::Down(_) if charge.amount > LIMIT => Err(TaskError::new(
            "CardDeclined",
            format!("{} is over the gateway's limit of {LIMIT}", charge.amount),
        )),
        Behaviour::Charge | Behaviour::Down(_) => Ok(Receipt {
            transaction_id: reference("TXN", &[&charge.order_id, &charge.payment.token]),
            amount: charge.amount,
            currency: charge.currency,
            card,
            attempts: context.retry_count + 1,
        }),
    }
}

/// `?` gives a number that is none its own error name, `ParseIntError`.
fn behaviour(token: &str) -> Result<Behaviour, TaskError> {
    if token.ends_with("_declined") {
        return Ok(Behaviour::Decline);
    }
    match token.split_once("_unavailable_") {
        Some((_, attempts)) => Ok(Behaviour::Down(attempts.parse()?)),
        None => Ok(Behaviour::Charge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandstep::testing::Host;

    fn order(token: &str, amount: i64) -> Charge {
        Charge {
            order_id: "SO-1".to_owned(),
            amount: Money(amount),
            currency: "EUR".to_owned(),
            payment: Payment {
                token: token.to_owned(),
                brand: "visa".to_owned(),
                last4: "4242".to_owned(),
                issuer_country: "DE".to_owned(),
            },
            work: 0,
        }
    }

    fn attempt(retry_count: u32, token: &str, amount: i64) -> Result<Receipt, TaskError> {
        Host::new()
            .retry_count(retry_count)
            .run(|| charge(order(token, amount)))
    }

    #[test]
    fn a_gateway_that_is_down_is_up_again_after_as_many_attempts() {
        for retry_count in 0..2 {
            let failure = attempt(retry_count, "tok_visa_unavailable_2", 100).expect_err("still down");
            assert_eq!(failure.error(), "GatewayUnavailable");
        }
        let receipt = attempt(2, "tok_visa_unavailable_2", 100).expect("up again");
        assert_eq!((receipt.attempts, receipt.amount), (3, Money(100)));
    }

    #[test]
    fn declined_cards_and_amounts_over_the_limit_are_final() {
        for (token, amount) in [("tok_visa_declined", 100), ("tok_visa", LIMIT.0 + 1)] {
            assert_eq!(attempt(0, token, amount).expect_err("declined").error(), "CardDeclined");
        }
    }

    #[test]
    fn a_token_the_gateway_cannot_read_is_named_after_what_went_wrong() {
        assert_eq!(
            behaviour("tok_visa_unavailable_soon").expect_err("no number").error(),
            "ParseIntError"
        );
    }
}
