//! Picks one line of an order and packs it: which bins to walk to, and how many cartons it makes.

use order::{Carton, Pick, ReservedLine};
use sandstep::TaskError;
use serde::{Deserialize, Serialize};

/// What one person lifts: pieces share a carton up to here.
const CARTON_GRAMS: u32 = 15_000;
/// Cardboard and padding.
const PACKAGING_GRAMS: u32 = 350;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Picking {
    line: ReservedLine,
    #[serde(default)]
    work: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Packed {
    sku: String,
    quantity: u32,
    /// In walking order.
    route: Vec<Pick>,
    cartons: Vec<Carton>,
}

#[sandstep::task]
fn pick(picking: Picking) -> Result<Packed, TaskError> {
    order::work(picking.work);

    let ReservedLine {
        sku,
        quantity,
        weight_grams,
        hazard,
        mut picks,
    } = picking.line;
    let reserved: u32 = picks.iter().map(|pick| pick.quantity).sum();
    if reserved != quantity {
        return Err(TaskError::new(
            "ShortPick",
            format!("`{sku}`: {quantity} ordered, {reserved} reserved"),
        ));
    }
    picks.sort_by(|one, other| walking_order(one).cmp(&walking_order(other)));

    // A piece that is heavier than a carton should be travels alone.
    let fits = (CARTON_GRAMS / weight_grams.max(1)).max(1);
    let mut cartons = Vec::new();
    for pick in &picks {
        let mut open = pick.quantity;
        while open > 0 {
            let pieces = open.min(fits);
            cartons.push(Carton {
                sku: sku.clone(),
                warehouse: pick.warehouse.clone(),
                quantity: pieces,
                weight_grams: pieces * weight_grams + PACKAGING_GRAMS,
                hazard,
            });
            open -= pieces;
        }
    }
    sandstep::log::debug!("`{sku}`: pieces {quantity}, cartons {}", cartons.len());
    Ok(Packed {
        sku,
        quantity,
        route: picks,
        cartons,
    })
}

/// Aisles are walked in turns: odd ones upwards, even ones back down.
fn walking_order(pick: &Pick) -> (&str, &str, i64) {
    let mut parts = pick.bin.splitn(3, '-');
    let aisle = parts.next().unwrap_or_default();
    let rack: i64 = parts.next().and_then(|rack| rack.parse().ok()).unwrap_or_default();
    let upwards = aisle.bytes().last().is_none_or(|letter| letter % 2 == 1);
    (&pick.warehouse, aisle, if upwards { rack } else { -rack })
}

#[cfg(test)]
mod tests {
    use super::*;
    use order::Hazard;

    fn line(weight_grams: u32, picks: &[(&str, &str, u32)]) -> Picking {
        let picks: Vec<Pick> = picks
            .iter()
            .map(|&(warehouse, bin, quantity)| Pick {
                warehouse: warehouse.to_owned(),
                bin: bin.to_owned(),
                quantity,
            })
            .collect();
        let quantity = picks.iter().map(|pick| pick.quantity).sum();
        let line = ReservedLine {
            sku: "A".to_owned(),
            quantity,
            weight_grams,
            hazard: Hazard::None,
            picks,
        };
        Picking { line, work: 0 }
    }

    #[test]
    fn pieces_share_cartons_up_to_what_a_person_lifts() {
        let packed = pick(line(4_000, &[("LEJ", "A-01-1", 5)])).expect("all reserved");
        let cartons: Vec<_> = packed
            .cartons
            .iter()
            .map(|carton| (carton.quantity, carton.weight_grams))
            .collect();
        assert_eq!(cartons, [(3, 12_350), (2, 8_350)]);
    }

    #[test]
    fn a_heavy_piece_travels_alone() {
        let packed = pick(line(38_000, &[("RTM", "P-07-0", 2)])).expect("all reserved");
        assert_eq!(packed.cartons.len(), 2);
        assert_eq!(packed.cartons[0].weight_grams, 38_350);
    }

    #[test]
    fn aisles_are_walked_in_turns() {
        let packed = pick(line(
            10,
            &[
                ("LEJ", "B-02-1", 1),
                ("LEJ", "A-09-1", 1),
                ("LEJ", "B-08-1", 1),
                ("LEJ", "A-03-1", 1),
            ],
        ));
        let bins: Vec<_> = packed
            .expect("all reserved")
            .route
            .into_iter()
            .map(|pick| pick.bin)
            .collect();
        assert_eq!(bins, ["A-03-1", "A-09-1", "B-08-1", "B-02-1"]);
    }

    #[test]
    fn a_line_that_is_not_all_there_is_not_packed() {
        let mut short = line(10, &[("LEJ", "A-01-1", 1)]);
        short.line.quantity = 2;
        assert_eq!(pick(short).expect_err("short").error(), "ShortPick");
    }
}
