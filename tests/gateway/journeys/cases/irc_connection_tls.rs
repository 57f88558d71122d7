//! TLS to IRC servers (issue 2, 'The connection'): checked, and never given up for plain text.

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::certificate::Authority;
use viaduct_test_support::irc::IrcServer;
use viaduct_test_support::process::User;
use viaduct_test_support::world::WorldOptions;

use super::irc_connection_script::{let_in, nobody_came, own_ip, refusal, seat};

pub(crate) const CASES: &[Case] = &[
    case!(tls_on_the_standard_port_first),
    case!(real_servers_certificates_are_checked),
    case!(a_bad_certificate_is_never_answered_with_plain_text),
    case!(plain_text_where_it_is_allowed_is_said_to_the_user),
    case!(never_plain_again_after_tls)
        .own_world()
        .only(&[Backend::Prosody]),
    case!(never_plain_again_after_tls_also_on_postgres)
        .own_world()
        .only(&[Backend::Ejabberd]),
    case!(self_signed_where_the_operator_says_so)
        .own_world_with(lenient)
        .only(&[Backend::Prosody]),
    case!(nothing_plain_or_private_unless_allowed)
        .own_world_with(strict)
        .only(&[Backend::Prosody]),
];

async fn tls_on_the_standard_port_first(t: Ctx) -> Result<()> {
    let server = t.scripted_tls().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    seat.talk().await?;
    let warned = |stanza: &Element| stanza.body().is_some_and(|body| body.contains("encrypted"));
    seat.phone.expect_none("a warning", t.gateway(), warned).await
}

async fn real_servers_certificates_are_checked(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let phone = t.client("phone").await?;
    phone.join(&t.room_on("tls.test", &channel), &nick).await?;
    for (server, why) in [
        ("untrusted.test", "trusted"),
        ("wrongname.test", "another server"),
    ] {
        let (condition, text) = refusal(&phone, &t.room_on(server, &channel), &nick).await?;
        let clear = text.contains("certificate") && text.contains(why) && text.contains(server);
        ensure!(
            clear && condition == "remote-server-timeout",
            "{condition}: {text}"
        );
    }
    Ok(())
}

async fn a_bad_certificate_is_never_answered_with_plain_text(t: Ctx) -> Result<()> {
    let (slot, phone) = (t.standard_slot().await?, t.client("phone").await?);
    let certificate = t
        .world()
        .authority()
        .issue("elsewhere.test", &["elsewhere.test"])
        .await?;
    let tls = slot.open_tls(&certificate, t.transcript().voice("tls")).await?;
    let plain = slot.open(t.transcript().voice("plain")).await?;
    let room = t.room_on(slot.name(), &t.channel());
    let nick = t.nick("bob");
    let handshake = async { Ok(tls.accept().await.err()) };
    let (failed, (_, text)) = tokio::try_join!(handshake, refusal(&phone, &room, &nick))?;
    ensure!(failed.is_some(), "the handshake should fail");
    ensure!(text.contains("certificate"), "{text}");
    nobody_came(&plain).await
}

async fn plain_text_where_it_is_allowed_is_said_to_the_user(t: Ctx) -> Result<()> {
    // A server that nobody has named or seen before, at an address that users may have connections made to.
    let name = own_ip(t.world().options(), 5);
    let addr = format!("{name}:6667").parse()?;
    let plain = IrcServer::bind(addr, t.transcript().voice("plain")).await?;
    let room = t.room_on(&name, &t.channel());
    let seat = seat(&t, &plain, &room, &Welcome::default()).await?;
    let warning = |stanza: &Element| {
        let warns = |body: String| body.contains("not encrypted") && body.contains(&name);
        stanza.is_message() && stanza.body().is_some_and(warns)
    };
    seat.phone.expect("the warning", warning).await?;
    seat.talk().await
}

async fn never_plain_again_after_tls(t: Ctx) -> Result<()> {
    let (slot, channel, nick) = (t.standard_slot().await?, t.channel(), t.nick("bob"));
    let room = t.room_on(slot.name(), &channel);
    let certificate = t.world().authority().issue(slot.name(), &[slot.name()]).await?;
    let tls = slot.open_tls(&certificate, t.transcript().voice("tls")).await?;
    let welcome = Welcome::default();
    let first = seat(&t, &tls, &room, &welcome).await?;
    first.talk().await?;
    first.phone.leave(&room, &first.nick, "").await?;
    first.session.expect_closed().await?;
    drop(tls);
    let plain = slot.open(t.transcript().voice("plain")).await?;
    let (_, text) = refusal(&first.phone, &room, &nick).await?;
    ensure!(text.contains("TLS"), "{text}");

    t.note("also after a restart");
    t.world().gateway().kill().await?;
    t.world().gateway().start().await?;
    t.world().await_gateway().await?;
    let (_, text) = refusal(&first.phone, &room, &nick).await?;
    ensure!(text.contains("TLS"), "{text}");
    nobody_came(&plain).await?;

    t.note("and with TLS it works again");
    let tls = slot.open_tls(&certificate, t.transcript().voice("tls")).await?;
    tokio::try_join!(let_in(&tls, &channel, &welcome), first.phone.join(&room, &nick))?;
    Ok(())
}

async fn never_plain_again_after_tls_also_on_postgres(t: Ctx) -> Result<()> {
    never_plain_again_after_tls(t).await
}

fn lenient(options: &mut WorldOptions) {
    options.extra_config = format!(
        "[gateway.irc.irc.servers.\"lenient.test\"]\nhost = \"{}\"\naccept_invalid = true\n",
        own_ip(options, 1)
    );
}

async fn self_signed_where_the_operator_says_so(t: Ctx) -> Result<()> {
    let directory = t
        .world()
        .scratch()
        .subdirectory("another-authority", &User::Myself)?;
    let certificate = Authority::new(&directory)
        .await?
        .issue("nobody", &["nobody"])
        .await?;
    let addr = format!("{}:6697", own_ip(t.world().options(), 1)).parse()?;
    let server = IrcServer::bind_tls(addr, &certificate, t.transcript().voice("server")).await?;
    let room = t.room_on("lenient.test", &t.channel());
    seat(&t, &server, &room, &Welcome::default())
        .await?
        .talk()
        .await?;
    let (_, text) = refusal(
        &t.client("desk").await?,
        &t.room_on("untrusted.test", "#x"),
        &t.nick("carol"),
    )
    .await?;
    ensure!(
        text.contains("certificate"),
        "the others are still checked: {text}"
    );
    Ok(())
}

fn strict(options: &mut WorldOptions) {
    options.env = vec![
        ("VIADUCT_GATEWAY__IRC__IRC__ALLOW_PLAIN".into(), "false".into()),
        ("VIADUCT_OUTGOING__ALLOW_PRIVATE".into(), "[]".into()),
    ];
}

async fn nothing_plain_or_private_unless_allowed(t: Ctx) -> Result<()> {
    let (slot, channel, nick) = (t.standard_slot().await?, t.channel(), t.nick("bob"));
    let phone = t.client("phone").await?;
    let plain = slot.open(t.transcript().voice("plain")).await?;
    refusal(&phone, &t.room_on(slot.name(), &channel), &nick).await?;
    nobody_came(&plain).await?;

    let private = [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
    ];
    for server in private {
        // What is no server's name at all may be refused for that.
        let room = format!("{channel}%{}@{GATEWAY}", server.replace(':', "\\3a"));
        let (_, text) = refusal(&phone, &room, &nick).await?;
        ensure!(
            !text.contains("refused the connection"),
            "{server} was tried: {text}"
        );
        if server.parse::<std::net::IpAddr>().is_ok() {
            ensure!(text.contains("private"), "{server}: {text}");
        }
    }
    // A listener of ours on a private address that a literal name leads to.
    let addr = format!("{}:6697", own_ip(t.world().options(), 2)).parse()?;
    let server = IrcServer::bind(addr, t.transcript().voice("server")).await?;
    let (_, text) = refusal(
        &phone,
        &t.room_on(&own_ip(t.world().options(), 2), &channel),
        &nick,
    )
    .await?;
    ensure!(text.contains("private"), "{text}");
    nobody_came(&server).await
}
