//! Where conditions are required that are evaluated part by part.

use super::step::{Action, Step};

/// Where conditions are required, found by reading the steps once.
#[derive(Debug, Clone)]
pub(super) struct Gates {
    /// For each condition the steps that require it, ascending, each with whether it asks for the decisions.
    pub(super) of: Vec<Vec<(usize, bool)>>,
    /// For each decision one more than the last step that may ask for it.
    pub(super) asked: Vec<usize>,
}

impl Gates {
    /// `mentions` says for each decision which steps mention it, beside those that only require a condition.
    pub(super) fn of(steps: &[Step], conditions: usize, mentions: &[Vec<usize>]) -> Self {
        let mut gates = Self {
            of: vec![Vec::new(); conditions],
            asked: mentions
                .iter()
                .map(|steps| steps.last().map_or(0, |last| last + 1))
                .collect(),
        };
        for (number, step) in steps.iter().enumerate() {
            let (Some(condition), Action::Require { asks, .. }) = (step.condition, &step.action) else {
                continue;
            };
            gates.of[condition].push((number, *asks));
            if *asks {
                for &read in &step.reads {
                    gates.asked[read] = gates.asked[read].max(number + 1);
                }
            }
        }
        gates
    }
}
