//! Arguments as they will be in a guest's memory, made before the guest runs: blocks of bytes, and where in them the
//! addresses of other blocks and of texts belong, which are known only when the guest has given room for them.

/// The arguments of one call. The first block has them in the order of the parameters.
#[derive(Debug, Default)]
pub(crate) struct Image {
    blocks: Vec<Block>,
    /// All texts, one behind the other.
    texts: String,
}

/// What is in one piece of memory: the elements of a list, or the arguments themselves.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    pub(crate) links: Vec<Link>,
}

/// A place in a block that holds an address and a length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// Bytes from the beginning of the block.
    pub(crate) at: usize,
    pub(crate) to: Linked,
}

/// What is at an address.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Linked {
    /// A text, by its place among all texts.
    Text { from: usize, to: usize },
    /// The elements of a list.
    List {
        block: BlockNumber,
        length: usize,
        align: usize,
    },
}

/// One of an image's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockNumber(usize);

/// Where in an image a value goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) block: BlockNumber,
    pub(crate) at: usize,
}

impl Place {
    /// A place behind this one.
    pub(crate) fn behind(self, bytes: usize) -> Self {
        Self {
            at: self.at + bytes,
            ..self
        }
    }
}

impl Image {
    /// The block of the arguments.
    pub(crate) const ARGUMENTS: BlockNumber = BlockNumber(0);

    /// A block; the first one is for the arguments.
    pub(crate) fn block(&self, number: BlockNumber) -> &Block {
        &self.blocks[number.0]
    }

    /// A text of a link.
    pub(crate) fn text(&self, from: usize, to: usize) -> &str {
        &self.texts[from..to]
    }

    /// A new block without bytes.
    pub(crate) fn new_block(&mut self) -> BlockNumber {
        self.blocks.push(Block::default());
        BlockNumber(self.blocks.len() - 1)
    }

    /// Room for a value at the end of a block, zeroes for now.
    pub(crate) fn grow(&mut self, block: BlockNumber, bytes: usize) -> Place {
        let content = &mut self.blocks[block.0].bytes;
        let at = content.len();
        content.resize(at + bytes, 0);
        Place { block, at }
    }

    /// The bytes of a block that has no values yet.
    pub(crate) fn fill(&mut self, block: BlockNumber, bytes: Vec<u8>) {
        self.blocks[block.0].bytes = bytes;
    }

    /// Writes a number or a part of one.
    pub(crate) fn put(&mut self, place: Place, bytes: &[u8]) {
        self.blocks[place.block.0].bytes[place.at..place.at + bytes.len()].copy_from_slice(bytes);
    }

    /// A text.
    pub(crate) fn put_text(&mut self, place: Place, text: &str) {
        let from = self.texts.len();
        self.texts.push_str(text);
        let to = Linked::Text {
            from,
            to: self.texts.len(),
        };
        self.link(place, to);
    }

    /// A list whose elements are in another block.
    pub(crate) fn put_list(&mut self, place: Place, block: BlockNumber, length: usize, align: usize) {
        self.link(place, Linked::List { block, length, align });
    }

    fn link(&mut self, place: Place, to: Linked) {
        self.blocks[place.block.0].links.push(Link { at: place.at, to });
    }

    /// Takes back what was written for a value.
    pub(crate) fn clear(&mut self, place: Place, bytes: usize) {
        let block = &mut self.blocks[place.block.0];
        let cleared = place.at..place.at + bytes;
        block.bytes[cleared.clone()].fill(0);
        block.links.retain(|link| !cleared.contains(&link.at));
    }
}
