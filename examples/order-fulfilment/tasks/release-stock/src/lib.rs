//! Puts reserved stock back: the compensation of `reserve-stock`.

use order::{Pick, Reservation};
use sandstep::TaskError;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    reservation: Reservation,
    #[serde(default)]
    work: u32,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Released {
    reservation_id: String,
    pieces: u32,
    returned: Vec<Returned>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Returned {
    sku: String,
    #[serde(flatten)]
    pick: Pick,
}

#[sandstep::task]
fn release(release: Release) -> Result<Released, TaskError> {
    order::work(release.work);

    let Reservation {
        reservation_id, lines, ..
    } = release.reservation;
    let returned: Vec<Returned> = lines
        .into_iter()
        .flat_map(|line| {
            line.picks.into_iter().map(move |pick| Returned {
                sku: line.sku.clone(),
                pick,
            })
        })
        .collect();
    let pieces = returned.iter().map(|returned| returned.pick.quantity).sum();
    sandstep::log::warn!("{reservation_id}: {pieces} pieces go back");
    Ok(Released {
        reservation_id,
        pieces,
        returned,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use order::{Hazard, ReservedLine};

    #[test]
    fn every_pick_goes_back_to_its_bin() {
        let pick = |warehouse: &str, quantity| Pick {
            warehouse: warehouse.to_owned(),
            bin: "A-01-1".to_owned(),
            quantity,
        };
        let line = ReservedLine {
            sku: "A".to_owned(),
            quantity: 5,
            weight_grams: 1,
            hazard: Hazard::None,
            picks: vec![pick("LEJ", 3), pick("RTM", 2)],
        };
        let reservation = Reservation {
            reservation_id: "RSV-1".to_owned(),
            warehouses: Vec::new(),
            lines: vec![line],
        };
        let released = release(Release { reservation, work: 0 }).expect("always");
        assert_eq!(released.pieces, 5);
        assert_eq!(released.returned.len(), 2);
    }
}
