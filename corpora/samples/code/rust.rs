//! A binary min-heap used to find the cheapest route through a small road network.

use std::collections::HashMap;

/// A priority queue that hands out the entry with the smallest key first.
#[derive(Debug, Default)]
pub struct MinHeap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K: Ord, V> MinHeap<K, V> {
    pub fn push(&mut self, key: K, value: V) {
        self.entries.push((key, value));
        let mut child = self.entries.len() - 1;
        while child > 0 {
            let parent = (child - 1) >> 1;
            if self.entries[parent].0 <= self.entries[child].0 {
                break;
            }
            self.entries.swap(parent, child);
            child = parent;
        }
    }

    pub fn pop(&mut self) -> Option<(K, V)> {
        self.entries.first()?; // an empty heap has nothing to give
        let top = self.entries.swap_remove(0);
        let mut parent = 0;
        loop {
            // Move the new root down until both children are at least as large.
            let smallest = [2 * parent + 1, 2 * parent + 2]
                .into_iter()
                .filter(|&i| i < self.entries.len())
                .min_by(|&a, &b| self.entries[a].0.cmp(&self.entries[b].0));
            match smallest {
                Some(i) if self.entries[i].0 < self.entries[parent].0 => {
                    self.entries.swap(i, parent);
                    parent = i;
                }
                _ => return Some(top),
            }
        }
    }
}

#[derive(Debug, PartialEq)]
pub enum RouteError<'a> {
    UnknownTown(&'a str),
    Unreachable,
}

type Roads<'a> = HashMap<&'a str, Vec<(&'a str, u64)>>;

fn distance<'a>(roads: &Roads<'a>, from: &'a str, to: &'a str) -> Result<u64, RouteError<'a>> {
    if let Some(&unknown) = [from, to].iter().find(|town| !roads.contains_key(*town)) {
        return Err(RouteError::UnknownTown(unknown));
    }
    let mut best: HashMap<&str, u64> = HashMap::from([(from, 0)]);
    let mut queue = MinHeap::default();
    queue.push(0, from);
    while let Some((metres, town)) = queue.pop() {
        if town == to {
            return Ok(metres);
        }
        for &(next, length) in roads.get(town).into_iter().flatten() {
            let total = metres + length;
            if best.get(next).map_or(true, |&known| total < known) {
                best.insert(next, total);
                queue.push(total, next);
            }
        }
    }
    Err(RouteError::Unreachable)
}

fn main() {
    let mut roads: Roads = HashMap::from([("Island", vec![])]);
    for (a, b, metres) in [("Mill", "Ford", 4_200), ("Ford", "Hill", 12_750), ("Mill", "Hill", 18_000)] {
        roads.entry(a).or_default().push((b, metres));
        roads.entry(b).or_default().push((a, metres));
    }
    assert_eq!(distance(&roads, "Mill", "Hill"), Ok(16_950));
    for target in ["Hill", "Island", "Moon"] {
        match distance(&roads, "Mill", target) {
            Ok(metres) => println!("Mill -> {target}: {:.2} km", metres as f64 / 1000.0),
            Err(error) => eprintln!("Mill -> {target}: {error:?}"),
        }
    }
}
