//! What the cases about IRC connections share: scripted servers that answer the usual questions, and users in their
//! channels.

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::irc::IrcServer;
use viaduct_test_support::world::WorldOptions;

/// Answers what a client asks about a channel; everything else is for the case.
pub(super) fn polite(line: &Line) -> Option<Vec<String>> {
    let channel = line.param(0);
    match (line.command.as_str(), line.params.len()) {
        ("MODE", 1) if channel.starts_with('#') => Some(vec![format!(":irc.test 324 * {channel} +n")]),
        ("MODE", 2) if line.param(1).ends_with('b') => Some(vec![format!(":irc.test 368 * {channel} :End")]),
        ("WHO", _) => Some(vec![format!(":irc.test 315 * {channel} :End of WHO")]),
        ("TOPIC", 1) => Some(vec![format!(":irc.test 331 * {channel} :No topic is set")]),
        _ => None,
    }
}

/// Accepts a connection, lets it register, and lets the user into the channel, where alice is.
pub(super) async fn let_in(
    server: &IrcServer,
    channel: &str,
    welcome: &Welcome<'_>,
) -> Result<(IrcSession, String)> {
    // A server at this place before may have had users whose gateway has not given it up yet. All names of a case end
    // with its number, but for channels of other names.
    let number = channel.rsplit('-').next().unwrap_or_default();
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let own = if numbered {
        format!("-{number}")
    } else {
        String::new()
    };
    loop {
        let session = server.accept().await?;
        session.respond_and_pong(polite);
        // Others may hang up in the middle.
        if let Ok(nick) = session.welcome(welcome).await
            && nick.ends_with(&own)
        {
            session.let_in(&nick, channel, &["@alice"]).await?;
            return Ok((session, nick));
        }
    }
}

/// A user who is in the case's channel on a scripted server.
pub(super) struct Seat {
    pub(super) phone: Client,
    pub(super) session: IrcSession,
    pub(super) channel: String,
    pub(super) room: String,
    pub(super) nick: String,
}

/// Takes a seat at a server.
pub(super) async fn seat(t: &Ctx, server: &IrcServer, room: &str, welcome: &Welcome<'_>) -> Result<Seat> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let phone = t.client("phone").await?;
    let script = let_in(server, &channel, welcome);
    let ((session, nick), _) = tokio::try_join!(script, phone.join(room, &nick))?;
    Ok(Seat {
        phone,
        session,
        channel,
        room: room.to_owned(),
        nick,
    })
}

impl Seat {
    /// Alice says something in the channel.
    pub(super) async fn alice_says(&self, text: &str) -> Result<()> {
        self.session
            .send(format!(":alice!u@h PRIVMSG {} :{text}", self.channel))
            .await
    }

    /// What alice says arrives as it is, or as something else.
    pub(super) async fn hear(&self, text: &str, as_what: &str) -> Result<Element> {
        self.alice_says(text).await?;
        self.phone
            .expect_body(&format!("{}/alice", self.room), as_what)
            .await
    }

    /// The user says something; gives its id and the line that reaches the server.
    pub(super) async fn say(&self, text: &str) -> Result<(String, Line)> {
        let id = self.phone.say(&self.room, text).await?;
        let wanted = |line: &Line| line.is("PRIVMSG", &[&self.channel]);
        Ok((
            id,
            self.session.expect(&format!("'{text}' on IRC"), wanted).await?,
        ))
    }

    /// Both ways work.
    pub(super) async fn talk(&self) -> Result<()> {
        self.hear("are you there?", "are you there?").await?;
        let (_, line) = self.say("yes").await?;
        ensure!(line.last() == "yes", "{line}");
        self.phone
            .expect_body(&format!("{}/{}", self.room, self.nick), "yes")
            .await?;
        Ok(())
    }
}

/// The words of a refused join.
pub(super) async fn refusal(phone: &Client, room: &str, nick: &str) -> Result<(String, String)> {
    let answer = phone.join_refused(&Join::new(room, nick)).await?;
    let error = answer.error().context("it is an error")?;
    let text = error
        .text
        .with_context(|| format!("it is explained: {}", answer.xml()))?;
    Ok((error.condition, text))
}

/// A loopback address of this run that nobody else uses.
pub(super) fn own_ip(options: &WorldOptions, number: u8) -> String {
    let pid = std::process::id().to_be_bytes();
    let world = if options.xmpp == XmppKind::Prosody { 100 } else { 0 };
    format!("127.{}.{}.{}", 100 + pid[2] % 100, pid[3], world + number)
}

/// Fails if anybody but ourselves has connected to the server.
pub(super) async fn nobody_came(server: &IrcServer) -> Result<()> {
    let probe = tokio::net::TcpStream::connect(server.addr()?).await?;
    let first = server.accept_tcp().await?;
    ensure!(
        first.peer_addr()? == probe.local_addr()?,
        "somebody connected to {}",
        server.addr()?
    );
    Ok(())
}

/// Registers with the gateway; gives the answer.
pub(super) async fn register(phone: &Client, gateway: &str, fields: &[(&str, &str)]) -> Result<Element> {
    let form = tag("x").ns(ns::DATA).attr("type", "submit");
    let field = |form_type: &str, value: &str| {
        tag("field")
            .attr("var", form_type)
            .child(tag("value").text(value))
    };
    let form = form.child(field("FORM_TYPE", ns::REGISTER));
    let form = fields
        .iter()
        .fold(form, |form, (var, value)| form.child(field(var, value)));
    phone
        .set(gateway, tag("query").ns(ns::REGISTER).child(form))
        .await
}
