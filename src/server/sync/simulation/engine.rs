//! A process as `worker` runs one, its deliveries and its jobs, in the simulated world.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::OptionFuture;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::model::event::EventState;
use crate::model::job::JobKind;
use crate::model::user::SyncSource;
use crate::server::error::Error;
use crate::server::jobs::End;
use crate::server::jobs::metadata::push;
use crate::server::store::deliveries::Batch;
use crate::server::store::events::Event;
use crate::server::sync::arrivals::{Arrived, Intake};
use crate::server::sync::outboxes::sweep;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{Settled, finish, settle, write};
use crate::server::sync::questions::{Question, ask, ask_and_settle};
use crate::server::sync::refresh::refresh_person;
use crate::server::sync::simulation::clerk::{Made, START, clerk_id};
use crate::server::sync::simulation::history::{Assignment, Refresh, Step};
use crate::server::sync::simulation::scheduler::{Owner, pause};
use crate::server::sync::simulation::store::Job;
use crate::server::sync::simulation::world::{Plant, Process, Shared, enter, spawn};

const BATCH: usize = 5;
const SWEEP_EVERY: i64 = 30_000;
const HANDED_OVER_FOR: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

/// A new process. Its memory is empty.
pub fn start(shared: &Shared, index: usize) {
    enter(shared).processes[index].is_up = true;
    let process = Process::of(shared, index);
    spawn(shared, Owner::Process(index), run(process.clone()));
    spawn(shared, Owner::Process(index), run_jobs(process));
}

/// Somebody notices that it died.
pub async fn restart(shared: Shared, index: usize) {
    let after = enter(&shared).rng.random_range(100..8_000);
    pause(&shared, after).await;
    start(&shared, index);
}

async fn run(process: Process) {
    let mut work = Work { process, unfinished: None, swept_at: None, swept_to: None };
    let mut look_at = 0;
    loop {
        let now = enter(&work.process.shared).now;
        let has_arrivals = !enter(&work.process.shared).processes[work.process.index].arrivals.is_empty();
        let done = if now >= look_at {
            // Long after the last change there is nothing to see between two looks: the run only gets longer.
            look_at = now + if now < 60_000 { 1_000 } else { 15_000 };
            work.look().await
        } else if has_arrivals {
            let batch = work.take_arrivals();
            work.apply(Intake::of_arrived(batch)).await
        } else if work.unfinished.is_some() {
            work.record().await
        } else {
            Idle { process: work.process.clone(), until: look_at }.await;
            Ok(())
        };
        if done.is_err() {
            pause(&work.process.shared, 500).await;
        }
    }
}

/// Until something arrives, or the next look.
struct Idle {
    process: Process,
    until: i64,
}

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut universe = enter(&self.process.shared);
        let state = &mut universe.processes[self.process.index];
        if !state.arrivals.is_empty() {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        if universe.now >= self.until {
            return Poll::Ready(());
        }
        universe.wake_at(self.until, context.waker().clone());
        Poll::Pending
    }
}

/// The same as `worker` has, in virtual time.
struct Work {
    process: Process,
    unfinished: Option<Settled>,
    swept_at: Option<i64>,
    swept_to: Option<String>,
}

impl Work {
    fn take_arrivals(&self) -> Vec<Arrived> {
        let mut universe = enter(&self.process.shared);
        let arrivals = &mut universe.processes[self.process.index].arrivals;
        let count = arrivals.len().min(BATCH);
        arrivals.drain(..count).collect()
    }

    async fn look(&mut self) -> Result<(), Error> {
        let now = enter(&self.process.shared).now;
        if self.swept_at.is_none_or(|at| now - at >= SWEEP_EVERY) {
            // The rest goes on without it, and the next sweep does it.
            let _ = sweep(&self.process, &mut self.swept_to).await;
            self.swept_at = Some(now);
        }
        loop {
            let left = self.process.list_left().await?;
            let due = self.process.list_due(BATCH).await?;
            if left.is_empty() && due.is_empty() {
                return Ok(());
            }
            let reading = self.process.reading();
            let left = left.into_iter().map(|batch| Arrived::of(batch, reading)).collect();
            self.apply(Intake::of_arrived(left)).await?;
            self.apply(Intake::of_events(&due, self.process.reading())).await?;
        }
    }

    async fn apply(&mut self, intake: Intake) -> Result<(), Error> {
        let Intake { cases, records, batches } = intake;
        let process = &self.process;
        let mut before = self.unfinished.take();
        let record: OptionFuture<_> = before.as_mut().map(|before| finish(process, before)).into();
        let (settled, recorded) = futures::join!(settle(process, cases), record);
        if let Some(before) = before {
            self.ask(before.asks);
        }
        self.unfinished = Some(Settled { records, batches, ..settled? });
        recorded.unwrap_or(Ok(()))
    }

    async fn record(&mut self) -> Result<(), Error> {
        let Some(mut settled) = self.unfinished.take() else { return Ok(()) };
        let recorded = finish(&self.process, &mut settled).await;
        self.ask(settled.asks);
        recorded
    }

    fn ask(&self, questions: Vec<Question>) {
        if !questions.is_empty() {
            let answered = answer(self.process.clone(), questions);
            spawn(&self.process.shared, Owner::Process(self.process.index), answered);
        }
    }
}

async fn answer(process: Process, questions: Vec<Question>) {
    // What fails is found again when its lease ends.
    if let Ok(mut settled) = ask_and_settle(&process, questions).await {
        let _ = finish(&process, &mut settled).await;
    }
}

/// What Clerk does at one instant: nobody can ask in between.
pub async fn change(shared: Shared, steps: Vec<Step>) {
    let Some(at) = steps.first().map(|step| step.at) else { return };
    pause(&shared, at).await;
    for step in steps {
        let now = START + at;
        let made = enter(&shared).clerk.change(step.person, &step.what, step.time, step.is_later, now);
        for delay in made.iter().flat_map(|_| &step.deliveries) {
            send(&shared, made.clone(), *delay);
        }
    }
    enter(&shared).outside -= 1;
}

/// Somebody asks one of the processes to bring a person up to date.
pub async fn refresh(shared: Shared, refresh: Refresh) {
    pause(&shared, refresh.at).await;
    let (id, index) = {
        let mut universe = enter(&shared);
        let count = universe.processes.len();
        (clerk_id(refresh.person), universe.rng.random_range(0..count))
    };
    let is_known = enter(&shared).clerk.members.iter().any(|member| member.id == id);
    if is_known && enter(&shared).processes[index].is_up {
        let process = Process::of(&shared, index);
        let plant = enter(&shared).plant;
        // Whoever wanted it sees the error and may ask again.
        let _ = if plant == Plant::AnswerOverAnything {
            refresh_over_anything(&process, &id).await
        } else {
            refresh_person(&process, &id, SyncSource::Refetch, None).await.map(|_| ())
        };
    }
    enter(&shared).outside -= 1;
}

/// An admin gives somebody a role here, by one of the processes.
pub async fn assign(shared: Shared, assignment: Assignment) {
    pause(&shared, assignment.at).await;
    let index = {
        let mut universe = enter(&shared);
        let count = universe.processes.len();
        universe.rng.random_range(0..count)
    };
    if enter(&shared).processes[index].is_up {
        let process = Process::of(&shared, index);
        let (id, role) = (clerk_id(assignment.person), assignment.role);
        let (etag, plan, now) = (process.new_id(), process.plan(), process.now());
        // Whoever wanted it sees the error and may do it again.
        let _ = process.call(0, |universe, _| universe.store.set_role(&id, role, etag, plan, now)).await;
    }
    enter(&shared).outside -= 1;
}

async fn refresh_over_anything(process: &Process, id: &str) -> Result<(), Error> {
    let answer = ask(process, id, SyncSource::Refetch).await?;
    // By then something else may be stored.
    let later = enter(&process.shared).rng.random_range(0..300);
    pause(&process.shared, later).await;
    write(process, answer).await.map(|_| ())
}

fn send(shared: &Shared, made: Option<Made>, delay: i64) {
    let Some(made) = made else { return };
    enter(shared).outside += 1;
    spawn(shared, Owner::Outside, deliver(Arc::clone(shared), made, delay));
}

/// Again and again, to whichever process answers, until one has acknowledged it.
pub async fn deliver(shared: Shared, made: Made, delay: i64) {
    pause(&shared, delay).await;
    loop {
        let chosen = {
            let mut universe = enter(&shared);
            let count = universe.processes.len();
            let index = universe.rng.random_range(0..count);
            universe.processes[index].is_up.then_some(index)
        };
        if let Some(index) = chosen
            && accept(&Process::of(&shared, index), &made).await
        {
            break;
        }
        pause(&shared, 5_000).await;
    }
    enter(&shared).outside -= 1;
}

/// As `inbox` does it: stored first, handed over next, acknowledged last.
async fn accept(process: &Process, made: &Made) -> bool {
    let now = process.now();
    let event = Event {
        id: made.id.clone(),
        kind: "user".to_owned(),
        clerk_id: None,
        instance_id: None,
        payload: made.payload.clone(),
        headers: String::new(),
        place: None,
        state: EventState::Received,
        attempts: 0,
        waits: 0,
        deliveries: 1,
        decision: None,
        event_at: None,
        received_at: now,
        due_at: None,
        finished_at: None,
        cause: None,
        trace: None,
        tried_at: None,
        earlier: Vec::new(),
    };
    let due_at = now.saturating_add(HANDED_OVER_FOR).unwrap_or(now);
    let mut batches = Batch::pack(vec![event], due_at, || process.new_id());
    let Some(batch) = batches.pop() else { return false };
    let stored = process.call(1, |universe, share| universe.store.insert_batches(&[batch.clone()][..share])).await;
    let mut universe = enter(&process.shared);
    let state = &mut universe.processes[process.index];
    if state.incarnation != process.incarnation {
        return false;
    }
    if stored.is_err() {
        return false;
    }
    state.arrivals.push_back(Arrived::of(batch, process.reading()));
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
    true
}

/// Performs an effect and then records it; a crash in between performs it again under the same key.
async fn run_jobs(process: Process) {
    loop {
        let (pace, chosen) = {
            let mut universe = enter(&process.shared);
            let pace = if universe.now < 60_000 { 700 } else { 3_000 };
            let waiting: Vec<(String, Job)> = universe
                .store
                .jobs
                .iter()
                .filter(|(_, job)| !job.is_done)
                .map(|(key, job)| (key.clone(), job.clone()))
                .collect();
            (pace, waiting.choose(&mut universe.rng).cloned())
        };
        let is_idle = match chosen {
            // It waits for minutes: in between the run only gets longer.
            Some((key, job)) => matches!(run_job(&process, &key, &job).await, Err(Error::Behind)),
            None => true,
        };
        if is_idle {
            pause(&process.shared, pace).await;
        }
    }
}

async fn run_job(process: &Process, key: &str, job: &Job) -> Result<(), Error> {
    process.call(0, |universe, _| universe.store.perform(key, &job.effect)).await?;
    let is_metadata = job.effect.kind == JobKind::Metadata;
    if is_metadata && matches!(push(process, &job.effect.clerk_id).await?, End::Early(_)) {
        return Err(Error::Behind);
    }
    process
        .call(0, |universe, _| {
            if let Some(stored) = universe.store.jobs.get_mut(key)
                && stored.generation == job.generation
            {
                stored.is_done = true;
            }
        })
        .await
}
