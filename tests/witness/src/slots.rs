//! Which slot a key belongs to, and which slots each shard has.

use redis::Value;

/// How many hash slots every cluster has.
const SLOTS: u16 = 16_384;

/// The slots of one shard: first and last of each range.
pub(crate) type Ranges = Vec<(u16, u16)>;

/// CRC-16/XMODEM of the key, which has no braces. <https://valkey.io/topics/cluster-spec/#key-distribution-model>
pub(crate) fn slot_of(key: &str) -> u16 {
    let step = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    key.bytes().fold(0, |crc, byte| (0..8).fold(crc ^ (u16::from(byte) << 8), step)) % SLOTS
}

pub(crate) fn has(ranges: &Ranges, slot: u16) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&slot))
}

/// The slots of each shard, from the answer to `CLUSTER SLOTS`: first, last, the primary, its replicas.
pub(crate) fn shards(answer: &Value) -> Vec<Ranges> {
    let mut shards: Vec<(Value, Ranges)> = Vec::new();
    let rows = answer.as_sequence().unwrap_or_default();
    for (first, last, primary) in rows.iter().filter_map(row) {
        match shards.iter_mut().find(|(known, _)| known == primary) {
            Some((_, ranges)) => ranges.push((first, last)),
            None => shards.push((primary.clone(), vec![(first, last)])),
        }
    }
    shards.into_iter().map(|(_, ranges)| ranges).collect()
}

fn row(row: &Value) -> Option<(u16, u16, &Value)> {
    let [Value::Int(first), Value::Int(last), primary, ..] = row.as_sequence()? else { return None };
    Some((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, primary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_the_slot_that_servers_say() {
        assert_eq!(slot_of("123456789"), 0x31c3);
        assert_eq!(slot_of("foo"), 12_182);
    }

    #[test]
    fn ranges_of_one_primary_are_of_one_shard() {
        let node = |name: &str| Value::Array(vec![Value::BulkString(name.into()), Value::Int(6379)]);
        let row = |first, last, name| Value::Array(vec![Value::Int(first), Value::Int(last), node(name), node("z")]);
        let answer = Value::Array(vec![row(0, 9, "a"), row(10, 19, "b"), row(20, 29, "a")]);
        assert_eq!(shards(&answer), [vec![(0, 9), (20, 29)], vec![(10, 19)]]);
        assert!(has(&vec![(0, 9), (20, 29)], 20) && !has(&vec![(0, 9), (20, 29)], 10));
    }
}
