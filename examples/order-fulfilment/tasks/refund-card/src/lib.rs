//! Gives a charge back: the compensation of `charge-card`. It may run again after a crash; the reference
//! stays the same.

use order::{Money, reference};
use sandstep::TaskError;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refund {
    transaction_id: String,
    amount: Money,
    currency: String,
    #[serde(default)]
    work: u32,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refunded {
    refund_id: String,
    transaction_id: String,
    amount: Money,
    currency: String,
}

#[sandstep::task]
fn refund(refund: Refund) -> Result<Refunded, TaskError> {
    order::work(refund.work);

    if refund.amount <= Money(0) {
        let cause = format!("{} of `{}` can't be given back", refund.amount, refund.transaction_id);
        return Err(TaskError::new("NothingToRefund", cause));
    }
    sandstep::log::warn!(
        "giving back {} {} of {}",
        refund.amount,
        refund.currency,
        refund.transaction_id
    );
    Ok(Refunded {
        refund_id: reference("RFD", &[&refund.transaction_id]),
        transaction_id: refund.transaction_id,
        amount: refund.amount,
        currency: refund.currency,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(amount: i64) -> Refund {
        Refund {
            transaction_id: "TXN-1".to_owned(),
            amount: Money(amount),
            currency: "EUR".to_owned(),
            work: 0,
        }
    }

    #[test]
    fn a_refund_repeats_with_the_same_reference() {
        assert_eq!(refund(of(500)), refund(of(500)));
        assert_eq!(refund(of(500)).expect("a refund").amount, Money(500));
    }

    #[test]
    fn nothing_is_no_refund() {
        assert_eq!(refund(of(0)).expect_err("nothing").error(), "NothingToRefund");
    }
}
