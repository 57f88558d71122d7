//! One transaction: the right to write is checked, statements run, some of what was given up is erased.

use std::collections::{HashMap, HashSet};

use sqlx::error::ErrorKind;

use super::intern::Interner;
use super::plan::Plan;
use super::statements::{
    ALL_ERASED, EPOCH, ERASABLE, ERASE, ERASED, HOLD, MAYBE_UNSEEN, UNSEEN, UNSEEN_DONE, VIEWS,
};
use crate::db::{Conn, Load, Span};
use crate::error::{Fault, fault, in_words};

/// How many messages are erased with one commit, and of how many portals.
const ERASE_AT_ONCE: i64 = 1000;
const PORTALS_AT_ONCE: i64 = 50;

/// What this opening of the database has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Which opening this is.
    pub(crate) epoch: i64,
    /// The last commit.
    pub(crate) batch: i64,
    /// The highest id that was ever written.
    pub(crate) highest: i64,
    /// Whether there may be something to erase.
    pub(crate) erasing: bool,
}

/// What the database says about its last opening.
pub(crate) async fn standing(conn: &mut Conn) -> Result<Standing, sqlx::Error> {
    let rows = conn.fetch(EPOCH, &[]).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(Standing {
        epoch: row.int(0)?,
        batch: row.int(1)?,
        highest: row.int(2)?,
        erasing: row.int(3)? > 0,
    })
}

/// A transaction that did not come to its end.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) error: sqlx::Error,
    /// Whether the database had been told to commit, so that a lost connection leaves the outcome open.
    pub(crate) committing: bool,
    /// Whether the connection is of no use any more.
    pub(crate) unusable: bool,
}

/// How a transaction ended, where the database made no difficulty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Committed {
    Yes(Standing),
    /// Another opening has the database now.
    Superseded,
    /// Nothing was done, because the database does not know earlier commits any more.
    Forgotten,
}

/// Runs a transaction. After an error it has been undone, as far as the connection still works.
pub(crate) async fn run(
    conn: &mut Conn,
    plan: &Plan,
    standing: Standing,
    interner: &mut Interner,
) -> Result<Committed, Broken> {
    let mut gone = HashSet::new();
    let mut committing = false;
    match attempt(conn, plan, standing, &mut gone, &mut committing).await {
        Ok(next) => {
            interner.forget(&gone);
            Ok(Committed::Yes(next))
        }
        Err(error) => {
            let lost = fault(&error) == Fault::Lost;
            let unusable = lost || !undo(conn).await;
            if is_superseded(&error) {
                return Ok(Committed::Superseded);
            }
            Err(Broken {
                // What was undone has certainly not been committed.
                committing: committing && unusable,
                error,
                unusable,
            })
        }
    }
}

/// Whether it is the statement at the beginning that failed.
fn is_superseded(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    error.kind() == ErrorKind::NotNullViolation
        && error.message().contains("epoch")
        && error.message().contains("batch")
}

/// Undoes what was begun. Whether that went well.
async fn undo(conn: &mut Conn) -> bool {
    let outcome = conn.rollback().await;
    if let Err(error) = &outcome {
        tracing::warn!(
            error = in_words(error),
            "a failed transaction could not be undone"
        );
    }
    outcome.is_ok()
}

async fn attempt(
    conn: &mut Conn,
    plan: &Plan,
    standing: Standing,
    gone: &mut HashSet<i64>,
    committing: &mut bool,
) -> Result<Standing, sqlx::Error> {
    let mut next = Standing {
        batch: standing.batch + 1,
        highest: standing.highest.max(plan.highest),
        erasing: standing.erasing || plan.erases,
        ..standing
    };
    let mut hold = Load::new(&HOLD);
    hold.push([next.epoch.into(), next.batch.into(), next.highest.into()]);
    let loads: Vec<&Load> = std::iter::once(&hold).chain(&plan.loads).collect();
    if next.erasing {
        conn.run(&loads, Span::Begin, committing).await?;
        next.erasing = erase(conn, gone, committing).await?;
    } else {
        conn.run(&loads, Span::Whole, committing).await?;
    }
    Ok(next)
}

/// Erases some of what is to go, commits, and says whether there is more.
async fn erase(conn: &mut Conn, gone: &mut HashSet<i64>, committing: &mut bool) -> Result<bool, sqlx::Error> {
    let targets = conn.fetch(ERASED, &[PORTALS_AT_ONCE.into()]).await?;
    let mut more = i64::try_from(targets.len()) == Ok(PORTALS_AT_ONCE);
    let mut left = ERASE_AT_ONCE;
    let mut less: HashMap<i64, i64> = HashMap::new();
    let mut loads = Vec::new();
    let mut done = Load::new(&ALL_ERASED);
    for target in targets {
        let portal = target.int(0)?;
        let rows = conn
            .fetch(ERASABLE, &[portal.into(), target.int(1)?.into(), left.into()])
            .await?;
        for row in &rows {
            *less.entry(row.int(1)?).or_default() -= 1;
        }
        if let Some(last) = rows.last() {
            let mut messages = Load::new(&ERASE);
            messages.push([portal.into(), last.int(0)?.into()]);
            loads.push(messages);
        }
        left -= i64::try_from(rows.len()).unwrap_or(left);
        if left <= 0 {
            more = true;
            break;
        }
        done.push([portal.into()]);
    }
    let mut maybe: HashSet<i64> = HashSet::new();
    for row in conn.fetch(MAYBE_UNSEEN, &[ERASE_AT_ONCE.into()]).await? {
        maybe.insert(row.int(0)?);
    }
    more |= i64::try_from(maybe.len()) == Ok(ERASE_AT_ONCE);
    loads.push(Load::of(&UNSEEN_DONE, maybe.iter().copied()));
    maybe.extend(less.keys().copied());
    let unseen = Load::of(&UNSEEN, maybe);
    let mut views = Load::new(&VIEWS);
    for (said, less) in less {
        views.push([said.into(), less.into()]);
    }
    loads.extend([views, done]);
    let loads: Vec<&Load> = loads.iter().collect();
    conn.run(&loads, Span::Middle, committing).await?;
    for row in conn.fetch_bulk(&unseen).await? {
        gone.insert(row.int(0)?);
    }
    conn.run(&[], Span::End, committing).await?;
    Ok(more)
}
