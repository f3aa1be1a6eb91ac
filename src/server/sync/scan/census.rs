//! Both counts at one moment: what makes a walk complete (D2-33, D2-36).
//!
//! Only those are counted who joined before the run began, so that newcomers cannot disturb; whoever leaves makes both counts
//! move, and then they are taken again.

use std::time::Duration;

use tokio::time::sleep;

use crate::model::run::{Counted, RunState};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::runs::Run;
use crate::server::sync::scan::mend::mends;
use crate::server::sync::scan::patiently;

/// With the pauses between them, longer than a delivery takes that needs no second attempt: counts that stand still for so
/// long will not agree.
const MOST_STILL: u32 = 12;
/// While people leave all the time, somebody's leaving is on its way in most moments, and not in all.
const MOST_TRIES: u32 = 80;
const PAUSE: Duration = Duration::from_millis(500);

/// The run at its end marker: done if the counts agree, else stopped with both as its cause. There is no other way to `Done`
/// for a run that goes through everybody.
pub async fn complete(state: &AppState, run: Run) -> Result<Run, Error> {
    // Then they cannot agree, and what differs is known; the list has to be whole all the same.
    let differs = !mends(&run) && run.progress.counts.differences() + run.progress.counts.unsettled > 0;
    let (mut tries, mut still, mut last) = (0, 0, None);
    loop {
        tries += 1;
        let before = count_at_clerk(state, &run).await?;
        let here = patiently(|| async { Ok(state.store.users.count_living_before(run.started_at).await?) }).await?;
        let clerk = count_at_clerk(state, &run).await?;
        let listed = run.progress.listed_before;
        if differs && before == clerk && listed >= clerk {
            return Ok(Run { state: RunState::Done, ..run });
        }
        if before == clerk && here + run.progress.absent == clerk && listed >= clerk {
            return Ok(Run { state: RunState::Done, counted: Some(Counted { clerk, here }), ..run });
        }
        still = if last == Some((clerk, here)) { still + 1 } else { 1 };
        last = Some((clerk, here));
        if still == MOST_STILL || tries == MOST_TRIES {
            let cause = format!(
                "the counts do not agree: {clerk} people at Clerk, {here} here, {listed} listed, {} skipped",
                run.progress.counts.skipped
            );
            return Ok(Run { state: RunState::Stopped, cause: Some(cause), ..run });
        }
        sleep(PAUSE).await;
    }
}

async fn count_at_clerk(state: &AppState, run: &Run) -> Result<u64, Error> {
    patiently(|| async { Ok(state.clerk.count_users_before(run.started_at).await?) }).await
}
