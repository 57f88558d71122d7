//! What the cases about rooms have in common: a channel with people in it, on the real server or on a scripted one,
//! and the requests that clients send to rooms.

use std::fmt::Display;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use viaduct_gateway_tests::Scripted;
use viaduct_gateway_tests::prelude::*;

/// A channel on the real server that alice has made (so she is its operator), with bob's phone in it.
pub(crate) struct Stage {
    /// The channel's name.
    pub(crate) channel: String,
    /// Its JID.
    pub(crate) room: String,
    /// Bob's nickname.
    pub(crate) nick: String,
    /// Somebody on IRC.
    pub(crate) alice: IrcPeer,
    /// Bob.
    pub(crate) phone: Client,
    /// What bob got when he joined.
    pub(crate) joined: Joined,
}

/// A channel on a scripted server, with bob's phone in it.
pub(crate) struct Script {
    /// The server.
    pub(crate) server: Scripted,
    /// Bob's connection to it. Questions for the channel's modes and PINGs are answered; all else waits for the case.
    pub(crate) session: IrcSession,
    /// The channel's name.
    pub(crate) channel: String,
    /// Its JID.
    pub(crate) room: String,
    /// Bob's nickname.
    pub(crate) nick: String,
    /// Bob.
    pub(crate) phone: Client,
    /// What bob got when he joined.
    pub(crate) joined: Joined,
}

impl Stage {
    pub(crate) async fn set(t: &Ctx) -> Result<Self> {
        let (channel, nick) = (t.channel(), t.nick("bob"));
        let room = t.room(&channel);
        let alice = t.irc("alice").await?;
        alice.join(&channel).await?;
        let phone = t.client("phone").await?;
        let joined = phone.join(&room, &nick).await?;
        alice.expect_join(&nick, &channel).await?;
        Ok(Self {
            channel,
            room,
            nick,
            alice,
            phone,
            joined,
        })
    }

    /// Bob's JID in the room.
    pub(crate) fn me(&self) -> String {
        self.occupant(&self.nick)
    }

    /// Somebody's JID in the room.
    pub(crate) fn occupant(&self, nick: &str) -> String {
        format!("{}/{nick}", self.room)
    }

    /// Another resource of bob in the room.
    pub(crate) async fn laptop(&self, t: &Ctx) -> Result<Client> {
        let laptop = t.client_of(&self.phone, "laptop").await?;
        laptop.join(&self.room, &self.nick).await?;
        Ok(laptop)
    }

    /// Another person on IRC in the channel.
    pub(crate) async fn carol(&self, t: &Ctx) -> Result<IrcPeer> {
        let carol = t.irc("carol").await?;
        carol.join(&self.channel).await?;
        self.phone
            .expect_presence(&self.occupant(carol.nick()), "")
            .await?;
        Ok(carol)
    }

    /// Alice makes bob an operator.
    pub(crate) async fn promote(&self, t: &Ctx) -> Result<()> {
        self.alice
            .mode(&self.channel, &format!("+o {}", self.nick))
            .await?;
        self.flush(t).await?;
        self.phone
            .take_all(|stanza| stanza.is_presence() && stanza.is_from(&self.room));
        Ok(())
    }

    /// Waits until what alice did is known to the phone.
    pub(crate) async fn flush(&self, t: &Ctx) -> Result<()> {
        t.flush(&self.alice, &self.channel, &self.phone, &self.room).await
    }

    /// Waits until what the phone sent has come to alice, if it ever will.
    pub(crate) async fn flush_out(&self, word: &str) -> Result<()> {
        self.phone.say(&self.room, word).await?;
        self.phone.expect_body(&self.me(), word).await?;
        self.alice.expect_message(&self.nick, &self.channel, word).await?;
        Ok(())
    }
}

impl Script {
    /// With these others in the channel, who may carry prefixes.
    pub(crate) async fn set(t: &Ctx, others: &[&str]) -> Result<Self> {
        Self::set_with(t, &Welcome::default(), others, "+n").await
    }

    /// On a server that says this, with this mode of the channel.
    pub(crate) async fn set_with(
        t: &Ctx,
        welcome: &Welcome<'_>,
        others: &[&str],
        modes: &str,
    ) -> Result<Self> {
        let (channel, nick) = (t.channel(), t.nick("bob"));
        let server = t.scripted().await?;
        let room = server.room(&channel);
        let phone = t.client("phone").await?;
        let script = async {
            let session = greet(&server, welcome, &nick).await?;
            answer_modes(&session, &nick, modes);
            session.let_in(&nick, &channel, others).await?;
            Ok(session)
        };
        let (session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
        Ok(Self {
            server,
            session,
            channel,
            room,
            nick,
            phone,
            joined,
        })
    }

    /// Bob's JID in the room.
    pub(crate) fn me(&self) -> String {
        self.occupant(&self.nick)
    }

    /// Somebody's JID in the room.
    pub(crate) fn occupant(&self, nick: &str) -> String {
        format!("{}/{nick}", self.room)
    }

    /// Somebody does something in the channel: a line without its source and target, such as `PRIVMSG`.
    pub(crate) async fn line(&self, who: &str, verb: &str, rest: &str) -> Result<()> {
        let channel = &self.channel;
        self.session
            .send(format!(":{who}!user@host {verb} {channel} {rest}"))
            .await
    }

    /// From now on the server answers this command with these lines, and PING.
    pub(crate) fn answer(&self, command: &str, lines: &[String]) {
        let (command, lines) = (command.to_owned(), lines.to_vec());
        self.session
            .respond_and_pong(move |line| (line.command == command).then(|| lines.clone()));
    }

    /// From now on the server answers this command with this numeric about the channel.
    pub(crate) fn refuse(&self, command: &str, numeric: &str, words: &str) {
        let (nick, channel) = (&self.nick, &self.channel);
        let line = format!(":irc.test {numeric} {nick} {channel} :{words}");
        self.answer(command, &[line]);
    }

    /// Waits until what the server said is known to the phone.
    pub(crate) async fn flush(&self) -> Result<()> {
        let word = format!("flush-{}", self.phone.fresh_id());
        self.line("flusher", "PRIVMSG", &format!(":{word}")).await?;
        self.phone.expect_body(&self.room, &word).await?;
        Ok(())
    }
}

/// Waits for somebody of this nickname to connect, and welcomes them. A server at this place before may have had users
/// whose gateway has not given it up yet.
pub(crate) async fn greet(server: &Scripted, welcome: &Welcome<'_>, nick: &str) -> Result<IrcSession> {
    loop {
        let session = server.accept().await?;
        // Others may hang up in the middle.
        if session.welcome(welcome).await.is_ok_and(|who| who == nick) {
            return Ok(session);
        }
    }
}

/// From now on the session tells the modes of every channel when it is asked, and answers PING.
pub(crate) fn answer_modes(session: &IrcSession, nick: &str, modes: &str) {
    let (nick, modes) = (nick.to_owned(), modes.to_owned());
    session.respond_and_pong(move |line| {
        let asks = line.command == "MODE" && line.params.len() == 1;
        asks.then(|| vec![format!(":irc.test 324 {nick} {} {modes}", line.param(0))])
    });
}

/// Checks that something was refused, and why.
pub(crate) fn refused(answer: &Element, condition: &str) -> Result<()> {
    let error = answer
        .error()
        .with_context(|| format!("should be refused with {condition}: {}", answer.xml()))?;
    ensure!(
        error.condition == condition,
        "{condition} wanted: {}",
        answer.xml()
    );
    Ok(())
}

/// Checks that an IQ was answered with a result.
pub(crate) fn granted(answer: &Element) -> Result<()> {
    ensure!(answer.kind() == "result", "should be granted: {}", answer.xml());
    Ok(())
}

/// Checks role and affiliation.
pub(crate) fn stands_as(presence: &Element, affiliation: &str, role: &str) -> Result<()> {
    ensure!(
        (presence.affiliation(), presence.role()) == (affiliation, role),
        "{affiliation}/{role} wanted: {}",
        presence.xml()
    );
    Ok(())
}

/// A presence of any type from the room or an occupant.
pub(crate) fn is_presence_of<'a>(room: &'a str) -> impl Fn(&Element) -> bool + 'a {
    move |stanza| stanza.is_presence() && stanza.is_from(room)
}

/// Changes the role of an occupant.
pub(crate) async fn set_role(client: &Client, room: &str, nick: &str, role: &str) -> Result<Element> {
    set_item(client, room, tag("item").attr("nick", nick).attr("role", role)).await
}

/// Removes an occupant, with a reason.
pub(crate) async fn kick(client: &Client, room: &str, nick: &str, reason: &str) -> Result<Element> {
    let item = tag("item").attr("nick", nick).attr("role", "none");
    set_item(client, room, item.child(tag("reason").text(reason))).await
}

/// Changes the affiliation of a person.
pub(crate) async fn set_affiliation(
    client: &Client,
    room: &str,
    jid: &str,
    affiliation: &str,
) -> Result<Element> {
    set_item(
        client,
        room,
        tag("item").attr("jid", jid).attr("affiliation", affiliation),
    )
    .await
}

/// Asks for the people of a role or an affiliation.
pub(crate) async fn list(client: &Client, room: &str, what: &str, value: &str) -> Result<Element> {
    let query = tag("query").ns(ns::MUC_ADMIN);
    client.get(room, query.child(tag("item").attr(what, value))).await
}

async fn set_item(client: &Client, room: &str, item: impl Display) -> Result<Element> {
    client.set(room, tag("query").ns(ns::MUC_ADMIN).child(item)).await
}

/// A time so many seconds ago, as XEP-0082 and IRCv3 write it.
pub(crate) fn ago(seconds: u64) -> String {
    format!("{}Z", local_time(seconds, 0))
}

/// The same with the clock of a place that is so many hours ahead of UTC.
pub(crate) fn ago_east(seconds: u64, hours: u32) -> String {
    format!("{}+{hours:02}:00", local_time(seconds, u64::from(hours)))
}

fn local_time(seconds_ago: u64, hours_ahead: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since: Duration| since.as_secs());
    let seconds = now - seconds_ago + hours_ahead * 3600;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, from Howard Hinnant's "chrono-compatible low-level date algorithms".
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000")
}
