//! The attribute macro as a task's author meets it, natively.

use sandstep::log::Level;
use sandstep::testing::Host;
use sandstep::{Context, TaskError};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Order {
    id: String,
    amount: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Receipt {
    order: String,
    attempt: u32,
}

#[sandstep::task]
fn charge(order: Order) -> Result<Receipt, TaskError> {
    let Context {
        retry_count,
        idempotency_key,
        ..
    } = sandstep::context();
    sandstep::heartbeat();
    sandstep::log::info!("charging {} with key {idempotency_key}", order.amount);
    if retry_count == 0 {
        return Err(TaskError::new("GatewayUnavailable", "no answer"));
    }
    Ok(Receipt {
        order: order.id,
        attempt: retry_count,
    })
}

#[test]
fn a_task_stays_an_ordinary_function_and_meets_the_host_it_is_given() {
    let order = || Order {
        id: "SO-1".to_owned(),
        amount: 12,
    };

    let mut host = Host::new();
    assert_eq!(
        host.run(|| charge(order())),
        Err(TaskError::new("GatewayUnavailable", "no answer"))
    );
    assert_eq!(host.heartbeats(), 1);
    assert_eq!(
        host.lines(),
        [(Level::Info, "charging 12 with key test-key".to_owned())]
    );

    let receipt = Host::new().retry_count(1).run(|| charge(order()));
    assert_eq!(
        receipt,
        Ok(Receipt {
            order: "SO-1".to_owned(),
            attempt: 1
        })
    );
}

#[test]
fn a_panicking_task_leaves_no_host_behind() {
    let caught = std::panic::catch_unwind(|| Host::new().retry_count(7).run(|| panic!("on purpose")));
    assert!(caught.is_err());
    assert_eq!(sandstep::context().retry_count, 0);
}
