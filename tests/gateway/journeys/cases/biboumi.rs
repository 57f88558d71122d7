//! viaduct takes the place of Biboumi: users find what they had there.

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::gateway::{Gateway, GatewayKind, GatewayOptions, KnownServer, viaduct_program};
use viaduct_test_support::process::{Spec, User};

use super::archive::query;
use super::commands_support::FormExt as _;
use super::settings::{begin, run};

pub(crate) const CASES: &[Case] = &[case!(users_of_biboumi_find_everything)
    .own_world_with(|world| {
        world.gateway = GatewayKind::Biboumi;
        world.proxied = false;
    })
    .deadline(120)];

/// Runs a command to its end and gives what it says.
async fn tool(t: &Ctx, program: &str, args: &[&str]) -> Result<String> {
    let spec = Spec::new("a tool", program, t.world().scratch().path(), &User::Myself)?;
    let printed = spec.args(args).run().await?;
    t.note(&printed);
    Ok(printed)
}

/// Everything in viaduct's database, but how often it was opened.
async fn dump(t: &Ctx, file: &str) -> Result<String> {
    let all = tool(t, "sqlite3", &[file, ".dump"]).await?;
    let lines = all.lines().filter(|line| !line.starts_with("INSERT INTO epoch"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

async fn users_of_biboumi_find_everything(t: Ctx) -> Result<()> {
    let (channel, nick, wish) = (t.channel(), t.nick("robert"), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;

    // With Biboumi: set, talk, and leave.
    let fields = [
        ("nick", nick.as_str()),
        ("realname", "Robert B."),
        ("address", t.world().irc_name()),
        ("ports", "6667"),
        ("verify_cert", "true"),
        ("throttle_limit", "10"),
    ];
    ensure!(run(&phone, &t.server(), "configure", &fields).await?.status == "completed");
    // One that nobody connects to.
    let elsewhere = format!("irc.elsewhere.test@{}", t.gateway());
    let fields = [
        ("username", "bobby"),
        ("pass", "sesame"),
        ("fingerprint", "not-a-fingerprint"),
        ("after_connect_commands", "MODE bob +x"),
        ("ports", "6668"),
        ("tls_ports", "7000"),
        ("verify_cert", "false"),
        ("throttle_limit", "0"),
    ];
    ensure!(run(&phone, &elsewhere, "configure", &fields).await?.status == "completed");
    let fields = [("record_history", "true"), ("max_history_length", "33")];
    ensure!(run(&phone, t.gateway(), "configure", &fields).await?.status == "completed");
    let fields = [("persistent", "true"), ("encoding_in", "koi8-r")];
    ensure!(run(&phone, &room, "configure", &fields).await?.status == "completed");
    let private = format!("#private%irc.elsewhere.test@{}", t.gateway());
    let done = run(&phone, &private, "configure", &[("record_history", "false")]).await?;
    ensure!(done.status == "completed");
    let subscribe = tag("presence").attr("to", t.gateway()).attr("type", "subscribe");
    phone.send(subscribe).await?;
    phone.expect_presence(t.gateway(), "subscribe").await?;
    phone.join(&room, &wish).await?;
    phone.say(&room, "first").await?;
    alice.expect_message(&nick, &channel, "first").await?;
    phone.expect_body(&room, "first").await?;
    for words in ["second", "<third> & *fourth*"] {
        alice.say(&channel, words).await?;
        phone.expect_body(&room, words).await?;
    }
    let before = query(&phone, &room, &[], "").await?;
    ensure!(before.bodies().len() == 3, "{:?}", before.bodies());
    t.world().gateway().terminate(Duration::from_secs(10)).await?;
    alice.expect_quit(&nick).await?;
    phone
        .expect_presence(&format!("{room}/{nick}"), "unavailable")
        .await?;

    // A dry run makes nothing.
    let scratch = t.world().scratch();
    let options = GatewayOptions {
        kind: GatewayKind::Viaduct,
        link: t.world().xmpp().component_addr(),
        store: None,
        servers: vec![KnownServer::plain(
            t.world().irc_name(),
            t.world().irc().plain_addr(),
        )],
        extra_config: String::new(),
        env: Vec::new(),
    };
    let viaduct = Gateway::new(scratch, &options)?;
    let config = format!("{}/viaduct/viaduct.toml", scratch.path().display());
    let file = format!("{}/viaduct/viaduct.db", scratch.path().display());
    let from = t.world().gateway().database(scratch);
    let program = viaduct_program()?.display().to_string();
    let import = [
        "import-biboumi",
        "--config",
        &config,
        "--gateway",
        "irc",
        "--from",
        &from,
    ];
    let dry: Vec<&str> = import.iter().copied().chain(["--dry-run"]).collect();
    let told = tool(&t, &program, &dry).await?;
    ensure!(
        !std::path::Path::new(&file).exists(),
        "a dry run makes no database"
    );
    let taken = "1 persistent channels, 3 lines, 0 contacts of 1 users; 1 things could not be taken.";
    ensure!(told.contains(taken) && told.contains("A run without"), "{told}");

    // The import does what the dry run said, once.
    let done = tool(&t, &program, &import).await?;
    ensure!(done.contains(taken) && done.contains("Taken over"), "{done}");
    ensure!(done.contains("NOT taken: fingerprint: "), "{done}");
    ensure!(
        !done.contains("sesame") && !done.contains("+x"),
        "nothing secret is told: {done}"
    );
    let strip = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("  "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    ensure!(strip(&told) == strip(&done), "both say the same");
    let first = dump(&t, &file).await?;
    ensure!(!first.contains("sesame"), "passwords are sealed");
    for again in [&dry[..], &import[..]] {
        let done = tool(&t, &program, again).await?;
        ensure!(done.contains("Nothing changes: 0 settings"), "{done}");
        ensure!(dump(&t, &file).await? == first, "and changes nothing");
    }

    // With viaduct: the user is in the channel as before, and finds everything.
    alice.take_all(|line| line.command == "JOIN");
    viaduct.start().await?;
    alice.expect_join(&nick, &channel).await?;
    let refused = Spec::new("a second copy", &program, scratch.path(), &User::Myself)?.args(import);
    let refused = refused
        .run()
        .await
        .err()
        .context("not beside a gateway that runs")?;
    ensure!(
        refused.to_string().contains("in use by another viaduct"),
        "{refused}"
    );
    viaduct
        .process()
        .wait_for_log("the XMPP server", Duration::from_secs(20))
        .await?;
    let joined = phone.join(&room, &wish).await?;
    ensure!(
        joined.bodies() == before.bodies(),
        "history at join: {:?}",
        joined.bodies()
    );
    let after = query(&phone, &room, &[], "").await?;
    ensure!(
        after.bodies() == before.bodies(),
        "the archive: {:?}",
        after.bodies()
    );
    ensure!(after.ids() == before.ids(), "with the ids that the client knows");
    alice.say(&channel, "fifth").await?;
    phone
        .expect_body(&format!("{room}/{}", alice.nick()), "fifth")
        .await?;
    let last = before.ids().last().copied().unwrap_or_default();
    let page =
        format!("<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>{last}</after></set>");
    let new = query(&phone, &room, &[], page).await?;
    ensure!(
        new.bodies() == ["fifth"],
        "a client goes on where it was: {:?}",
        new.bodies()
    );

    for (jid, node, wanted) in [
        (t.server(), "configure", vec![nick.as_str(), "Robert B."]),
        (
            elsewhere,
            "configure",
            vec!["bobby", "MODE bob +x", "6668", "7000"],
        ),
        (t.gateway().to_owned(), "preferences", vec!["33"]),
        (room.clone(), "configure", vec!["koi8-r"]),
    ] {
        let shown = begin(&phone, &jid, node).await?;
        let text = shown.form().context("a form")?.text_of_all();
        for value in wanted {
            ensure!(text.contains(value), "'{value}' is set: {text}");
        }
    }
    viaduct.terminate(Duration::from_secs(10)).await?;
    Ok(())
}
