/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bits(u128);

impl Bits {
    /// # Panics
    /// If the number is 128 or more.
    pub(crate) fn insert(&mut self, number: u16) {
        self.0 |= bit(number);
    }

    pub(crate) fn remove(&mut self, number: u16) {
        self.0 &= !bit(number);
    }

    pub(crate) fn contains(self, number: u16) -> bool {
        self.0 & bit(number) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u16> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let number = u16::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
            rest &= rest - 1;
            Some(number)
        })
    }
}

fn bit(number: u16) -> u128 {
    1_u128.checked_shl(number.into()).expect("a number below 128")
}

impl FromIterator<u16> for Bits {
    fn from_iter<T: IntoIterator<Item = u16>>(numbers: T) -> Self {
        let mut bits = Self::default();
        for number in numbers {
            bits.insert(number);
        }
        bits
    }
}
