//! Pages of an archive, against a model that looks at everything.

use viaduct_bridge::Timestamp;
use viaduct_core::records::{
    ArchiveError, ArchivePage, ArchiveQuery, MessageRecord, PagePlace, PageRequest, PortalId, Position,
    Write, archive_id, placed_id,
};
use viaduct_store::{ArchiveReadError, Store};

use crate::support::{Dice, commit, message, messages, name, on_both, said, user_with_room, with_remote};

fn query(portal: i64, max: u32, place: PagePlace) -> ArchiveQuery {
    ArchiveQuery {
        portal: PortalId(portal),
        upto: Position(i64::MAX),
        start: None,
        end: None,
        after_id: None,
        before_id: None,
        ids: None,
        with_nick: None,
        page: PageRequest { max, place },
    }
}

/// The answer, by looking at everything.
fn model(archive: &[MessageRecord], query: &ArchiveQuery) -> Result<ArchivePage, ArchiveError> {
    let archive: Vec<_> = archive
        .iter()
        .filter(|message| message.position <= query.upto)
        .collect();
    let place = |id: &str| {
        let found = archive.iter().find(|message| *archive_id(message) == *id);
        found
            .map(|message| message.position)
            .ok_or(ArchiveError::NoSuchMessage)
    };
    let after = query.after_id.as_ref().map(|id| place(id)).transpose()?;
    let before = query.before_id.as_ref().map(|id| place(id)).transpose()?;
    let ids = query
        .ids
        .as_ref()
        .map(|ids| ids.iter().map(|id| place(id)).collect::<Result<Vec<_>, _>>())
        .transpose()?;
    let set: Vec<_> = archive
        .iter()
        .filter(|message| query.start.is_none_or(|start| message.at >= start))
        .filter(|message| query.end.is_none_or(|end| message.at <= end))
        .filter(|message| after.is_none_or(|after| message.position > after))
        .filter(|message| before.is_none_or(|before| message.position < before))
        .filter(|message| ids.as_ref().is_none_or(|ids| ids.contains(&message.position)))
        .filter(|message| {
            query
                .with_nick
                .as_ref()
                .is_none_or(|nick| message.said.nick == *nick)
        })
        .collect();
    let max = usize::try_from(query.page.max).expect("small");
    let (from, upto) = match &query.page.place {
        PagePlace::First | PagePlace::Last => (0, set.len()),
        PagePlace::After(id) => {
            let at = place(id)?;
            (
                set.iter().filter(|message| message.position <= at).count(),
                set.len(),
            )
        }
        PagePlace::Before(id) => {
            let at = place(id)?;
            (0, set.iter().filter(|message| message.position < at).count())
        }
    };
    let complete = upto - from <= max;
    let (from, upto) = match &query.page.place {
        PagePlace::First | PagePlace::After(_) => (from, upto.min(from + max)),
        PagePlace::Last | PagePlace::Before(_) => (from.max(upto.saturating_sub(max)), upto),
    };
    Ok(ArchivePage {
        messages: set[from..upto]
            .iter()
            .map(|message| (***message).clone())
            .collect(),
        complete,
        count: set.len() as u64,
        first_index: if from == upto { 0 } else { from as u64 },
    })
}

async fn answer(store: &Store, query: &ArchiveQuery) -> Result<ArchivePage, ArchiveError> {
    match store.archive_page(query).await {
        Ok(page) => Ok(page),
        Err(ArchiveReadError::Archive(error)) => Err(error),
        Err(ArchiveReadError::Store(error)) => panic!("{error}"),
    }
}

/// An archive that begins in history and goes on live; some messages at the same time, some with a network id.
fn archive(portal: i64, first: i64, last: i64, dice: &mut Dice) -> Vec<MessageRecord> {
    let mut at = 1_000_000;
    (first..=last)
        .map(|position| {
            at += [0, 0, 1, 10][usize::try_from(dice.below(4)).expect("small")];
            let mut record = message(portal, position);
            record.at = Timestamp(at);
            record.said = said(dice.word(&["alice", "bob"]), dice.word(&["<a/>", "<b/>"]));
            if dice.one_in(2) {
                record = with_remote(record, &format!("net{position}"));
            }
            record
        })
        .collect()
}

fn any_query(archive: &[MessageRecord], portal: i64, dice: &mut Dice) -> ArchiveQuery {
    let any_id = |dice: &mut Dice| match dice.below(40) {
        0 => name("unknown"),
        1 => placed_id(PortalId(portal + 1), Position(1)),
        2 => placed_id(PortalId(portal), Position(9999)),
        _ if archive.is_empty() => name("nothing"),
        _ => archive_id(dice.pick(archive)),
    };
    let any_time = |dice: &mut Dice| {
        let near = archive.first().map_or(0, |first| first.at.0)
            + i64::try_from(dice.below(120)).expect("small")
            - 5;
        Timestamp(near)
    };
    let place = match dice.below(4) {
        0 => PagePlace::First,
        1 => PagePlace::Last,
        2 => PagePlace::After(any_id(dice)),
        _ => PagePlace::Before(any_id(dice)),
    };
    let max = *dice.pick(&[0, 1, 2, 5, 50]);
    let mut query = query(portal, max, place);
    if dice.one_in(4) {
        query.upto = Position(i64::try_from(dice.below(60)).expect("small") - 20);
    }
    query.start = dice.one_in(3).then(|| any_time(dice));
    query.end = dice.one_in(3).then(|| any_time(dice));
    query.after_id = dice.one_in(5).then(|| any_id(dice));
    query.before_id = dice.one_in(5).then(|| any_id(dice));
    query.ids = dice
        .one_in(6)
        .then(|| (0..dice.below(5)).map(|_| any_id(dice)).collect());
    query.with_nick = dice
        .one_in(5)
        .then(|| name(dice.word(&["alice", "bob", "nobody"])));
    query
}

on_both! {
    async fn pages_are_those_of_the_model(db) {
        let store = db.open().await;
        let mut dice = Dice(1);
        for (portal, first, last) in [(1, 1, 0), (2, 1, 1), (3, 1, 40), (4, -12, 25), (5, -7, 0)] {
            commit(&store, user_with_room(portal)).await;
            let archive = archive(portal, first, last, &mut dice);
            commit(&store, messages(archive.clone())).await;
            for _ in 0..300 {
                let query = any_query(&archive, portal, &mut dice);
                assert_eq!(answer(&store, &query).await, model(&archive, &query), "{query:?}");
            }
            for message in &archive {
                let found = store.find(PortalId(portal), &archive_id(message)).await.expect("readable");
                assert_eq!(found.as_ref(), Some(message));
            }
        }
        store.close().await;
    }
}

on_both! {
    async fn every_message_is_on_exactly_one_page(db) {
        let store = db.open().await;
        let archive = archive(1, -30, 70, &mut Dice(2));
        commit(&store, user_with_room(1)).await;
        commit(&store, messages(archive.clone())).await;
        for max in [1, 7, 50, 101] {
            let mut forwards = Vec::new();
            let mut place = PagePlace::First;
            loop {
                let page = answer(&store, &query(1, max, place)).await.expect("a page");
                assert_eq!(page.first_index, forwards.len() as u64);
                assert_eq!(page.count, 101);
                forwards.extend(page.messages);
                place = PagePlace::After(archive_id(forwards.last().expect("a message")));
                if page.complete {
                    break;
                }
            }
            assert_eq!(forwards, archive);
            let mut backwards = Vec::new();
            let mut place = PagePlace::Last;
            loop {
                let mut page = answer(&store, &query(1, max, place)).await.expect("a page");
                page.messages.reverse();
                backwards.extend(page.messages);
                place = PagePlace::Before(archive_id(backwards.last().expect("a message")));
                if page.complete {
                    break;
                }
            }
            backwards.reverse();
            assert_eq!(backwards, archive);
        }
        store.close().await;
    }
}

on_both! {
    async fn a_pruned_archive_begins_after_what_went(db) {
        let store = db.open().await;
        let archive = archive(1, 1, 3000, &mut Dice(3));
        commit(&store, user_with_room(1)).await;
        commit(&store, messages(archive.clone())).await;
        // More than is erased at once: what is left of it must not be seen.
        commit(&store, vec![Write::Prune { portal: PortalId(1), upto: Position(2990) }]).await;
        let page = answer(&store, &query(1, 50, PagePlace::First)).await.expect("a page");
        assert_eq!(page.messages, archive[2990..]);
        assert_eq!((page.count, page.first_index, page.complete), (10, 0, true));
        store.close().await;
    }
}

on_both! {
    /// Another user's archive id names nothing here, not even the same message.
    async fn nothing_is_found_in_another_archive(db) {
        let store = db.open().await;
        for id in [1, 2] {
            commit(&store, user_with_room(id)).await;
            commit(&store, messages([message(id, 1), with_remote(message(id, 2), &format!("of{id}"))])).await;
        }
        for id in [placed_id(PortalId(2), Position(1)), name("of2")] {
            assert_eq!(store.find(PortalId(1), &id).await.expect("readable"), None);
            let mut asked = query(1, 5, PagePlace::First);
            asked.ids = Some(vec![id.clone()]);
            assert_eq!(answer(&store, &asked).await, Err(ArchiveError::NoSuchMessage));
            let asked = query(1, 5, PagePlace::After(id));
            assert_eq!(answer(&store, &asked).await, Err(ArchiveError::NoSuchMessage));
        }
        store.close().await;
    }
}

on_both! {
    /// A network that gives an id twice, or one that looks like ours, does not make a client go round in circles.
    async fn an_id_that_is_not_unique_makes_no_circle(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        let archive: Vec<_> = (1..=12)
            .map(|position| match position {
                3 | 6 | 9 => with_remote(message(1, position), "twice"),
                8 => with_remote(message(1, position), &placed_id(PortalId(1), Position(2))),
                _ => message(1, position),
            })
            .collect();
        commit(&store, messages(archive.clone())).await;
        for (first, next) in [
            (PagePlace::First, PagePlace::After as fn(_) -> _),
            (PagePlace::Last, PagePlace::Before as fn(_) -> _),
        ] {
            let mut place = first;
            let mut pages = 0;
            loop {
                let page = answer(&store, &query(1, 2, place.clone())).await.expect("a page");
                pages += 1;
                assert!(pages < 20, "the client goes round in circles");
                let forwards = matches!(place, PagePlace::First | PagePlace::After(_));
                let edge = if forwards { page.messages.last() } else { page.messages.first() };
                if page.complete {
                    break;
                }
                place = next(archive_id(edge.expect("a message")));
            }
        }
        store.close().await;
    }
}

on_both! {
    async fn history_is_the_newest(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        let archive = archive(1, -5, 20, &mut Dice(4));
        commit(&store, messages(archive.clone())).await;
        let portal = PortalId(1);
        let history = async |upto, limit, since| {
            store.history(portal, Position(upto), limit, since).await.expect("readable")
        };
        assert_eq!(history(20, 3, None).await, archive[23..]);
        assert_eq!(history(18, 3, None).await, archive[21..24]);
        assert_eq!(history(20, 99, None).await, archive);
        assert_eq!(history(20, 0, None).await, []);
        let since = archive[10].at;
        let first = archive.partition_point(|message| message.at < since);
        assert_eq!(history(20, 99, Some(since)).await, archive[first..]);
        assert_eq!(history(20, 2, Some(since)).await, archive[24..]);
        let replay = async |after, upto, limit| {
            store.replay(portal, Position(after), Position(upto), limit).await.expect("readable")
        };
        assert_eq!(replay(0, 20, 99).await, archive[6..]);
        assert_eq!(replay(3, 9, 2).await, archive[9..11]);
        assert_eq!(replay(20, 20, 2).await, []);
        store.close().await;
    }
}

on_both! {
    /// When the clock was set back by an hour, everything that is said until it has caught up has the same time. It stays
    /// in its order, and every question about times finds all of it or nothing.
    async fn an_hour_with_one_time_for_all(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        let all: Vec<MessageRecord> = (1..=300)
            .map(|position| MessageRecord {
                at: Timestamp(position.clamp(100, 250)),
                ..message(1, position)
            })
            .collect();
        commit(&store, messages(all.clone())).await;
        for (start, end) in [
            (None, None),
            (Some(100), None),
            (Some(101), None),
            (None, Some(100)),
            (None, Some(99)),
            (Some(250), Some(250)),
            (Some(251), None),
            (Some(100), Some(100)),
        ] {
            for place in [PagePlace::First, PagePlace::Last, PagePlace::After(placed_id(PortalId(1), Position(50)))] {
                let asked = ArchiveQuery {
                    start: start.map(Timestamp),
                    end: end.map(Timestamp),
                    ..query(1, 40, place)
                };
                assert_eq!(answer(&store, &asked).await, model(&all, &asked), "{asked:?}");
            }
        }
        let since = store.history(PortalId(1), Position(300), 80, Some(Timestamp(250))).await.expect("readable");
        let places: Vec<i64> = since.iter().map(|message| message.position.0).collect();
        assert_eq!(places, (250..=300).collect::<Vec<_>>());
        let replayed = store.replay(PortalId(1), Position(90), Position(120), 99).await.expect("readable");
        assert!(replayed.iter().map(|message| message.position.0).eq(91..=120));
        store.close().await;
    }
}
