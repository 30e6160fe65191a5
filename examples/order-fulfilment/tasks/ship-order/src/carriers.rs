//! Who carries what where, for how much.

use std::fmt;

use order::{Address, Hazard, Money, Service};
use serde::Serialize;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Zone {
    /// Where the warehouses are.
    Home,
    /// The rest of the single market.
    Continent,
    /// By ship or plane only.
    Islands,
}

impl Zone {
    pub fn of(address: &Address) -> Self {
        // The Canaries, the Balearics, Corsica, Gotland.
        let island_codes: &[&str] = match address.country.as_str() {
            "ES" => &["35", "38", "07"],
            "FR" => &["20"],
            "SE" => &["62"],
            _ => &[],
        };
        if island_codes.iter().any(|code| address.postal_code.starts_with(code)) {
            return Zone::Islands;
        }
        match address.country.as_str() {
            "DE" | "NL" | "PL" => Zone::Home,
            _ => Zone::Continent,
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Zone::Home => "the home zone",
            Zone::Continent => "the continent",
            Zone::Islands => "the islands",
        })
    }
}

/// A carrier and its tariff.
#[derive(Debug)]
pub struct Carrier {
    pub name: &'static str,
    /// Service indicator of its tracking numbers.
    pub prefix: &'static str,
    heaviest_grams: u32,
    express: bool,
    batteries: bool,
    /// Base price and price of each kilogram begun, in cents, from the home zone outwards. Shorter where
    /// it doesn't go farther.
    tariff: &'static [(i64, i64)],
    days: &'static [u32],
}

/// Express costs this many times as much.
const EXPRESS_FACTOR: u32 = 2;

impl Carrier {
    /// What it asks for a parcel, or why it refuses.
    pub fn quote(&self, grams: u32, hazard: Hazard, zone: Zone, service: Service) -> Result<Money, String> {
        let Some(&(base, per_kilogram)) = self.tariff.get(zone as usize) else {
            return Err(format!("doesn't go to {zone}"));
        };
        if grams > self.heaviest_grams {
            return Err(format!("takes up to {} kg", self.heaviest_grams / 1000));
        }
        if hazard == Hazard::LithiumBattery && !self.batteries {
            return Err("takes no batteries".to_owned());
        }
        if service == Service::Express && !self.express {
            return Err("has no express service".to_owned());
        }
        let price = base + per_kilogram * i64::from(grams.div_ceil(1000));
        let factor = if service == Service::Express {
            i64::from(EXPRESS_FACTOR)
        } else {
            1
        };
        Ok(Money(price * factor))
    }

    /// How long it takes to a zone it goes to.
    pub fn working_days(&self, zone: Zone, service: Service) -> u32 {
        let days = self.days.get(zone as usize).copied().unwrap_or_default();
        if service == Service::Express {
            days.div_ceil(EXPRESS_FACTOR)
        } else {
            days
        }
    }
}

pub static CARRIERS: &[Carrier] = &[
    Carrier {
        name: "Hanse Post",
        prefix: "HP",
        heaviest_grams: 31_000,
        express: false,
        batteries: false,
        tariff: &[(389, 35), (899, 90), (1490, 260)],
        days: &[2, 4, 9],
    },
    Carrier {
        name: "Rapid Parcel",
        prefix: "RP",
        heaviest_grams: 25_000,
        express: true,
        batteries: true,
        tariff: &[(520, 42), (1050, 110), (2200, 480)],
        days: &[2, 3, 6],
    },
    Carrier {
        name: "Castor Freight",
        prefix: "CF",
        heaviest_grams: 300_000,
        express: false,
        batteries: true,
        tariff: &[(3900, 28), (6900, 45)],
        days: &[4, 6],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(name: &str) -> &'static Carrier {
        CARRIERS
            .iter()
            .find(|carrier| carrier.name == name)
            .expect("a carrier of that name")
    }

    #[test]
    fn a_kilogram_begun_counts_and_express_doubles() {
        let rapid = carrier("Rapid Parcel");
        assert_eq!(
            rapid.quote(1001, Hazard::None, Zone::Home, Service::Standard),
            Ok(Money(604))
        );
        assert_eq!(
            rapid.quote(1001, Hazard::None, Zone::Home, Service::Express),
            Ok(Money(1208))
        );
        assert_eq!(rapid.working_days(Zone::Continent, Service::Express), 2);
    }

    #[test]
    fn refusals_name_the_reason() {
        let quote = |name, grams, hazard, zone, service| {
            carrier(name).quote(grams, hazard, zone, service).expect_err("refused")
        };
        assert_eq!(
            quote("Castor Freight", 1, Hazard::None, Zone::Islands, Service::Standard),
            "doesn't go to the islands"
        );
        assert_eq!(
            quote("Rapid Parcel", 25_001, Hazard::None, Zone::Home, Service::Standard),
            "takes up to 25 kg"
        );
        assert_eq!(
            quote("Hanse Post", 1, Hazard::LithiumBattery, Zone::Home, Service::Standard),
            "takes no batteries"
        );
        assert_eq!(
            quote("Hanse Post", 1, Hazard::None, Zone::Home, Service::Express),
            "has no express service"
        );
    }
}
