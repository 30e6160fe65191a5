//! Sets stock aside. One warehouse for the whole order where possible, the nearest first; otherwise line
//! by line. Answers the reservation, or `OutOfStock` with everything that is missing.

mod stock;

use order::{Address, Hazard, Pick, Reservation, ReservedLine, reference};
use sandstep::TaskError;
use serde::Deserialize;
use stock::{Shelf, WAREHOUSES, Warehouse};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    order_id: String,
    shipping_address: Address,
    lines: Vec<WantedLine>,
    #[serde(default)]
    work: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedLine {
    sku: String,
    quantity: u32,
    weight_grams: u32,
    #[serde(default)]
    hazard: Hazard,
}

#[sandstep::task]
fn reserve(wanted: Wanted) -> Result<Reservation, TaskError> {
    order::work(wanted.work);

    let mut nearest: Vec<&Warehouse> = WAREHOUSES.iter().collect();
    nearest.sort_by_key(|warehouse| warehouse.distance_to(&wanted.shipping_address.country));

    let whole = nearest.iter().find(|warehouse| {
        wanted
            .lines
            .iter()
            .all(|line| warehouse.shelves.iter().any(|shelf| holds(shelf, line)))
    });
    let sources: &[&Warehouse] = match whole {
        Some(warehouse) => std::slice::from_ref(warehouse),
        None => &nearest,
    };

    let mut missing = Vec::new();
    let mut lines = Vec::with_capacity(wanted.lines.len());
    for line in &wanted.lines {
        let picks = take(line, sources);
        let found: u32 = picks.iter().map(|pick| pick.quantity).sum();
        if found < line.quantity {
            missing.push(format!("`{}`: {} wanted, {found} in stock", line.sku, line.quantity));
        }
        lines.push(ReservedLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            weight_grams: line.weight_grams,
            hazard: line.hazard,
            picks,
        });
    }
    if !missing.is_empty() {
        return Err(TaskError::new("OutOfStock", missing.join("; ")));
    }

    let mut warehouses: Vec<String> = Vec::new();
    for pick in lines.iter().flat_map(|line| &line.picks) {
        if !warehouses.contains(&pick.warehouse) {
            warehouses.push(pick.warehouse.clone());
        }
    }
    sandstep::log::info!(
        "{}: {} lines from {}",
        wanted.order_id,
        lines.len(),
        warehouses.join(", ")
    );
    Ok(Reservation {
        reservation_id: reference("RSV", &[&wanted.order_id]),
        warehouses,
        lines,
    })
}

fn holds(shelf: &Shelf, line: &WantedLine) -> bool {
    shelf.sku == line.sku && shelf.pieces >= line.quantity
}

/// As many pieces as are wanted and there, warehouse by warehouse.
fn take(line: &WantedLine, sources: &[&Warehouse]) -> Vec<Pick> {
    let mut open = line.quantity;
    let mut picks = Vec::new();
    for warehouse in sources {
        for shelf in warehouse.shelves.iter().filter(|shelf| shelf.sku == line.sku) {
            let quantity = shelf.pieces.min(open);
            if quantity > 0 {
                picks.push(Pick {
                    warehouse: warehouse.code.to_owned(),
                    bin: shelf.bin.to_owned(),
                    quantity,
                });
                open -= quantity;
            }
        }
    }
    picks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(country: &str, lines: &[(&str, u32)]) -> Wanted {
        Wanted {
            order_id: "SO-1".to_owned(),
            shipping_address: Address {
                name: String::new(),
                street: String::new(),
                postal_code: String::new(),
                city: String::new(),
                country: country.to_owned(),
            },
            lines: lines
                .iter()
                .map(|&(sku, quantity)| WantedLine {
                    sku: sku.to_owned(),
                    quantity,
                    weight_grams: 1,
                    hazard: Hazard::None,
                })
                .collect(),
            work: 0,
        }
    }

    #[test]
    fn one_warehouse_serves_the_whole_order_even_if_it_is_not_the_nearest() {
        let reservation = reserve(wanted("PL", &[("KB-75-ISO-DE", 1), ("CABLE-USBC-2M", 2)])).expect("in stock");
        assert_eq!(reservation.warehouses, ["LEJ"]);
    }

    #[test]
    fn a_line_that_no_warehouse_can_fill_is_split_among_the_nearest() {
        let reservation = reserve(wanted("DE", &[("CABLE-USBC-2M", 500)])).expect("in stock together");
        let quantities: Vec<_> = reservation.lines[0]
            .picks
            .iter()
            .map(|pick| (pick.warehouse.as_str(), pick.quantity))
            .collect();
        assert_eq!(quantities, [("LEJ", 180), ("POZ", 90), ("RTM", 230)]);
    }

    #[test]
    fn everything_that_is_missing_is_named() {
        let failure = reserve(wanted("DE", &[("NO-SUCH-THING", 1), ("DESK-OAK-160", 30)])).expect_err("missing");
        assert_eq!(failure.error(), "OutOfStock");
        assert_eq!(
            failure.cause(),
            "`NO-SUCH-THING`: 1 wanted, 0 in stock; `DESK-OAK-160`: 30 wanted, 13 in stock"
        );
    }
}
