use sandstep::TaskError;
use serde::{Deserialize, Serialize};

const CARD_LIMIT: u64 = 100_000;

#[derive(Deserialize)]
struct Order {
    id: String,
    amount: u64,
}

#[derive(Serialize, Debug, PartialEq)]
struct Receipt {
    order: String,
    charged: u64,
}

#[sandstep::task]
fn charge(order: Order) -> Result<Receipt, TaskError> {
    if order.amount > CARD_LIMIT {
        return Err(TaskError::new(
            "CardDeclined",
            format!("{} is over the card's limit", order.amount),
        ));
    }
    sandstep::log::info!("charging {}", order.amount);
    Ok(Receipt {
        order: order.id,
        charged: order.amount,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(amount: u64) -> Order {
        Order {
            id: "A-1".to_owned(),
            amount,
        }
    }

    #[test]
    fn an_order_is_charged() {
        let receipt = Receipt {
            order: "A-1".to_owned(),
            charged: 1250,
        };
        assert_eq!(charge(order(1250)), Ok(receipt));
    }

    #[test]
    fn a_large_amount_is_declined() {
        let failure = charge(order(CARD_LIMIT + 1)).expect_err("over the limit");
        assert_eq!(failure.error(), "CardDeclined");
    }
}
