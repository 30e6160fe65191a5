//! What lies where. A shop reads this from its database; here it is part of the component, so that the
//! task needs nothing from outside and answers the same on every machine.

/// A warehouse and its shelves.
pub struct Warehouse {
    /// IATA code of the nearest airport.
    pub code: &'static str,
    /// Countries in the order in which it serves them best.
    serves: &'static [&'static str],
    pub shelves: &'static [Shelf],
}

/// One article in one bin.
pub struct Shelf {
    pub sku: &'static str,
    pub bin: &'static str,
    pub pieces: u32,
}

impl Warehouse {
    /// Smaller is nearer. Countries it doesn't list are farthest.
    pub fn distance_to(&self, country: &str) -> usize {
        self.serves
            .iter()
            .position(|served| *served == country)
            .unwrap_or(self.serves.len())
    }
}

const fn shelf(sku: &'static str, bin: &'static str, pieces: u32) -> Shelf {
    Shelf { sku, bin, pieces }
}

/// Leipzig, Rotterdam and Poznań.
pub static WAREHOUSES: &[Warehouse] = &[
    Warehouse {
        code: "LEJ",
        serves: &["DE", "AT", "PL", "SE", "FR"],
        shelves: &[
            shelf("KB-75-ISO-DE", "A-03-2", 40),
            shelf("MOUSE-TRK-02", "A-04-1", 25),
            shelf("CABLE-USBC-2M", "A-11-4", 180),
            shelf("BOOK-DISTSYS", "B-20-3", 12),
            shelf("DESK-OAK-160", "P-01-0", 4),
        ],
    },
    Warehouse {
        code: "RTM",
        serves: &["NL", "FR", "ES", "DE", "SE"],
        shelves: &[
            shelf("CABLE-USBC-2M", "C-02-1", 400),
            shelf("DESK-OAK-160", "P-07-0", 9),
            shelf("MONITOR-32-4K", "D-15-1", 16),
            shelf("LAPTOP-14-PRO", "S-01-2", 30),
        ],
    },
    Warehouse {
        code: "POZ",
        serves: &["PL", "DE", "SE", "AT"],
        shelves: &[
            shelf("CABLE-USBC-2M", "K-09-2", 90),
            shelf("LAPTOP-14-PRO", "S-02-1", 6),
        ],
    },
];
