//! Hands an order's cartons to carriers: parcels per warehouse, the cheapest carrier that takes each, a
//! tracking number with a check digit. `NoCarrier` says why each of them refused.

mod carriers;
mod tracking;

use carriers::{CARRIERS, Carrier, Zone};
use order::{Address, Carton, Hazard, Money, Service};
use sandstep::TaskError;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shipment {
    order_id: String,
    service: Service,
    address: Address,
    cartons: Vec<Carton>,
    #[serde(default)]
    work: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shipped {
    zone: Zone,
    parcels: Vec<Parcel>,
    cost: Money,
    /// Until the last parcel is there.
    working_days: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parcel {
    tracking_number: String,
    carrier: &'static str,
    warehouse: String,
    weight_grams: u32,
    hazard: Hazard,
    contents: Vec<Content>,
    cost: Money,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    sku: String,
    quantity: u32,
}

#[sandstep::task]
fn ship(shipment: Shipment) -> Result<Shipped, TaskError> {
    let zone = Zone::of(&shipment.address);
    let mut parcels = Vec::new();
    let mut working_days = 0;
    order::work(shipment.work);
    for load in loads(shipment.cartons) {
        // Booking a carrier takes its time: each one starts the heartbeat clock again.
        sandstep::heartbeat();
        let (carrier, cost) = cheapest(&load, zone, shipment.service)?;
        let tracking_number = tracking::number(carrier.prefix, &shipment.order_id, parcels.len());
        sandstep::log::info!("{} takes {tracking_number} for {cost}", carrier.name);
        working_days = working_days.max(carrier.working_days(zone, shipment.service));
        parcels.push(Parcel {
            tracking_number,
            carrier: carrier.name,
            warehouse: load.warehouse,
            weight_grams: load.weight_grams,
            hazard: load.hazard,
            contents: load.contents,
            cost,
        });
    }
    let cost = parcels.iter().map(|parcel| parcel.cost).sum();
    Ok(Shipped {
        zone,
        parcels,
        cost,
        working_days,
    })
}

/// Cartons that travel as one parcel.
struct Load {
    warehouse: String,
    weight_grams: u32,
    hazard: Hazard,
    contents: Vec<Content>,
}

/// What a parcel of several cartons may weigh: the limit of the carriers that most orders go with.
const PARCEL_GRAMS: u32 = 25_000;

/// First fit, heaviest first, per warehouse. Hazards travel apart, so that they don't make the rest dearer.
fn loads(mut cartons: Vec<Carton>) -> Vec<Load> {
    cartons.sort_by(|one, other| {
        (&one.warehouse, other.weight_grams, &one.sku).cmp(&(&other.warehouse, one.weight_grams, &other.sku))
    });
    let mut loads: Vec<Load> = Vec::new();
    for carton in cartons {
        let open = loads.iter_mut().find(|load| {
            load.warehouse == carton.warehouse
                && load.hazard == carton.hazard
                && load.weight_grams.saturating_add(carton.weight_grams) <= PARCEL_GRAMS
        });
        let content = Content {
            sku: carton.sku,
            quantity: carton.quantity,
        };
        match open {
            Some(load) => {
                load.weight_grams += carton.weight_grams;
                match load.contents.iter_mut().find(|inside| inside.sku == content.sku) {
                    Some(inside) => inside.quantity += content.quantity,
                    None => load.contents.push(content),
                }
            }
            None => loads.push(Load {
                warehouse: carton.warehouse,
                weight_grams: carton.weight_grams,
                hazard: carton.hazard,
                contents: vec![content],
            }),
        }
    }
    loads
}

fn cheapest(load: &Load, zone: Zone, service: Service) -> Result<(&'static Carrier, Money), TaskError> {
    let mut best: Option<(&'static Carrier, Money)> = None;
    let mut refusals = Vec::new();
    for carrier in CARRIERS {
        match carrier.quote(load.weight_grams, load.hazard, zone, service) {
            Ok(cost) if best.is_none_or(|(_, known)| cost < known) => best = Some((carrier, cost)),
            Ok(_) => {}
            Err(refusal) => refusals.push(format!("{} {refusal}", carrier.name)),
        }
    }
    best.ok_or_else(|| {
        let cause = format!(
            "nobody takes a parcel of {}.{} kg{} to {zone}: {}",
            load.weight_grams / 1000,
            load.weight_grams % 1000 / 100,
            match load.hazard {
                Hazard::None => "",
                Hazard::LithiumBattery => " with a lithium battery",
            },
            refusals.join("; ")
        );
        TaskError::new("NoCarrier", cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandstep::testing::Host;

    fn carton(sku: &str, warehouse: &str, weight_grams: u32, hazard: Hazard) -> Carton {
        Carton {
            sku: sku.to_owned(),
            warehouse: warehouse.to_owned(),
            quantity: 1,
            weight_grams,
            hazard,
        }
    }

    fn shipment(country: &str, postal_code: &str, cartons: Vec<Carton>) -> Shipment {
        Shipment {
            order_id: "SO-1".to_owned(),
            service: Service::Standard,
            address: Address {
                name: "M".to_owned(),
                street: "S".to_owned(),
                postal_code: postal_code.to_owned(),
                city: "C".to_owned(),
                country: country.to_owned(),
            },
            cartons,
            work: 0,
        }
    }

    #[test]
    fn cartons_share_parcels_within_a_warehouse_and_hazards_travel_apart() {
        let cartons = vec![
            carton("A", "LEJ", 9_000, Hazard::None),
            carton("A", "LEJ", 14_000, Hazard::None),
            carton("B", "LEJ", 12_000, Hazard::None),
            carton("C", "LEJ", 800, Hazard::LithiumBattery),
            carton("A", "RTM", 500, Hazard::None),
        ];
        let mut host = Host::new();
        let shipped = host.run(|| ship(shipment("DE", "10827", cartons))).expect("all can go");
        let parcels: Vec<_> = shipped
            .parcels
            .iter()
            .map(|parcel| (parcel.warehouse.as_str(), parcel.weight_grams))
            .collect();
        assert_eq!(parcels, [("LEJ", 23_000), ("LEJ", 12_000), ("LEJ", 800), ("RTM", 500)]);
        assert_eq!(host.heartbeats(), 4);
        assert_eq!(shipped.cost, shipped.parcels.iter().map(|parcel| parcel.cost).sum());
    }

    #[test]
    fn a_parcel_nobody_takes_says_why() {
        let failure = ship(shipment(
            "ES",
            "35003",
            vec![carton("DESK", "RTM", 42_350, Hazard::LithiumBattery)],
        ))
        .expect_err("too heavy for the islands");
        assert_eq!(failure.error(), "NoCarrier");
        for carrier in CARRIERS {
            assert!(failure.cause().contains(carrier.name), "{}", failure.cause());
        }
    }
}
