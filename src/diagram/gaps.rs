//! Candidates with gaps: decisions without a value, which is right where the network does not read them.

use super::arcs::{DEAD, Diagram, ROOT, Reader};
use super::evaluate::check_columns;
use super::input::{Column, Domain};
use super::parallel::{Workers, work_off_until};
use crate::{Error, Result};
use std::cell::Cell;

/// Candidates in a block.
const BLOCK: usize = 2048;
/// Candidates in a job for a thread.
const JOB: usize = 16 * BLOCK;

/// The first candidate that has a gap where its network reads a decision: its row, and the first such decision.
///
/// `columns` holds a column for each decision, with any index of its domain in a gap; `gaps` says for each decision
/// which candidates have one there, if any has. A candidate that cannot be built reads what it takes to know that.
/// O(candidates with gaps * stages).
///
/// # Errors
/// As [`super::Evaluator::evaluate`].
pub fn first_gap(
    diagram: &Diagram,
    columns: &[Column<'_>],
    gaps: &[Option<&[bool]>],
    workers: Workers<'_>,
) -> Result<Option<(usize, usize)>> {
    let Some(n) = gaps.iter().flatten().map(|gaps| gaps.len()).max() else {
        return Ok(None);
    };
    check_columns(diagram, columns, n)?;
    if gaps.len() != columns.len() || gaps.iter().flatten().any(|gaps| gaps.len() != n) {
        return Err(Error::argument(format!("each column needs {n} flags for its gaps")));
    }
    let mut found = vec![None; n.div_ceil(JOB)];
    let jobs = found.iter_mut().enumerate();
    let scratch = || (diagram.reader(), vec![Vec::new(); columns.len()]);
    work_off_until(jobs, workers, scratch, |(reader, chosen), (job, found), ended| {
        for start in (job * JOB..n.min((job + 1) * JOB)).step_by(BLOCK) {
            let rows = start..n.min(start + BLOCK);
            if !gaps.iter().flatten().any(|gaps| gaps[rows.clone()].contains(&true)) {
                continue;
            }
            for (decision, own) in chosen.iter_mut().enumerate() {
                let known = &diagram.program().decisions()[decision];
                own.clear();
                own.resize(rows.len(), 0);
                columns[decision].read_wide(start, Domain::of(known), own)?;
            }
            for row in rows {
                if found.is_some() || ended() {
                    return Ok(());
                }
                if gaps.iter().flatten().any(|gaps| gaps[row]) {
                    let gap = |decision: usize| gaps[decision].is_some_and(|gaps| gaps[row]);
                    let choose = |decision: usize| chosen[decision][row - start];
                    *found = gap_of(diagram, reader, gap, choose)?.map(|decision| (row, decision));
                }
            }
        }
        Ok(())
    })?;
    Ok(found.into_iter().flatten().next())
}

/// The first decision that a candidate reads in spite of a gap there.
fn gap_of(
    diagram: &Diagram,
    reader: &mut Reader<'_>,
    gap: impl Fn(usize) -> bool,
    choose: impl Fn(usize) -> u32,
) -> Result<Option<usize>> {
    let mut node = ROOT;
    while node != DEAD && node != diagram.terminal() {
        if diagram.is_open(node) {
            let read = Cell::new(None);
            let finished = reader.finish(node, |decision| {
                if gap(decision) {
                    read.set(Some(decision));
                    return Err(Error::argument("a gap"));
                }
                Ok(choose(decision))
            });
            return match read.get() {
                Some(decision) => Ok(Some(decision)),
                None => finished.map(|_| None),
            };
        }
        let decision = diagram.stage(node).decision;
        if gap(decision) {
            return Ok(Some(decision));
        }
        node = reader.arc(node, choose(decision) as usize).next;
    }
    Ok(None)
}
