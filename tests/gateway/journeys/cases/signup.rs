//! An account with an IRC server, registered from the client (IRCv3 draft/account-registration).

use viaduct_gateway_tests::prelude::*;

use super::irc_connection_script::{polite, seat};
use super::settings::{begin, run};

pub(crate) const CASES: &[Case] = &[
    case!(an_account_is_registered_and_then_used),
    case!(where_there_are_no_accounts_none_are_offered),
];

const OPEN: &Welcome<'static> = &Welcome {
    caps: &[
        "standard-replies",
        "sasl=PLAIN",
        "draft/account-registration=custom-account-name,email-required",
    ],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+"],
};

async fn offered(client: &Client, server: &str) -> Result<bool> {
    let items = client.disco_items(server, Some(ns::COMMANDS)).await?;
    let items = items.find_all("item", ns::DISCO_ITEMS);
    Ok(items
        .iter()
        .any(|item| item.attr("node") == Some("account-register")))
}

async fn an_account_is_registered_and_then_used(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let jid = server.jid();
    let seat = seat(&t, &server, &server.room(&t.channel()), OPEN).await?;
    ensure!(offered(&seat.phone, &jid).await?, "the command is there");
    seat.session.respond_and_pong(|line: &Line| {
        let answer = match (line.command.as_str(), line.params.as_slice()) {
            ("REGISTER", [_, email, _]) if email == "*" => {
                "FAIL REGISTER INVALID_EMAIL bobby :An address is needed"
            }
            ("REGISTER", [account, email, password])
                if account == "bobby" && email == "bob@mail.example" && password == "open sesame" =>
            {
                "REGISTER VERIFICATION_REQUIRED bobby :Look into your mail"
            }
            ("VERIFY", [account, code]) if account == "bobby" && code == "4711" => {
                "VERIFY SUCCESS bobby :Welcome, bobby"
            }
            ("VERIFY", _) => "FAIL VERIFY INVALID_CODE bobby :That is not the code",
            ("REGISTER", _) => "FAIL REGISTER UNACCEPTABLE_PASSWORD bobby :What is this?",
            _ => return polite(line),
        };
        Some(vec![format!(":irc.test {answer}")])
    });
    let form = begin(&seat.phone, &jid, "account-register").await?;
    let form = form.form().context("a form")?.xml();
    ensure!(
        form.contains("var='email'") && form.contains("text-private"),
        "{form}"
    );
    let fields = [
        ("account", "bobby"),
        ("email", "bob@mail.example"),
        ("password", "open sesame"),
    ];
    let begun = run(&seat.phone, &jid, "account-register", &fields).await?;
    ensure!(
        begun.xml.contains("Look into your mail") && begun.xml.contains("account-verify"),
        "{}",
        begun.xml
    );
    let wrong = [("account", "bobby"), ("code", "4712")];
    let refused = run(&seat.phone, &jid, "account-verify", &wrong).await?;
    ensure!(
        refused.xml.contains("type='error'") && refused.xml.contains("That is not the code"),
        "{}",
        refused.xml
    );
    let right = [("account", "bobby"), ("code", "4711")];
    let done = run(&seat.phone, &jid, "account-verify", &right).await?;
    ensure!(done.xml.contains("Welcome, bobby"), "{}", done.xml);
    ensure!(!done.xml.contains("sesame"), "the password is not repeated");

    // The next connection logs in with it.
    let again = async {
        let session = server.accept().await?;
        session.expect_command("CAP", &["LS"]).await?;
        session.send(":irc.test CAP * LS :sasl=PLAIN").await?;
        session.expect_command("CAP", &["REQ"]).await?;
        session.send(":irc.test CAP * ACK :sasl").await?;
        session.expect_command("AUTHENTICATE", &["PLAIN"]).await?;
        session.send("AUTHENTICATE +").await?;
        let login = session
            .expect("the login", |line| line.command == "AUTHENTICATE")
            .await?;
        // bobby NUL bobby NUL open sesame (RFC 4616)
        ensure!(login.last() == "Ym9iYnkAYm9iYnkAb3BlbiBzZXNhbWU=", "{login}");
        Ok(())
    };
    let reconnect = async { run(&seat.phone, &jid, "reconnect", &[]).await.map(|_| ()) };
    tokio::try_join!(again, reconnect)?;
    Ok(())
}

async fn where_there_are_no_accounts_none_are_offered(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let room = t.room(&t.channel());
    phone.join(&room, &t.nick("bob")).await?;
    ensure!(!offered(&phone, &t.server()).await?, "the real server has none");
    let command = tag("command").ns(ns::COMMANDS).attr("node", "account-register");
    let refused = phone.set(&t.server(), command).await?;
    let error = refused.error().context("an error")?;
    ensure!(
        error.condition == "forbidden"
            && error
                .text
                .as_deref()
                .is_some_and(|text| text.contains("no accounts")),
        "{}",
        refused.xml()
    );
    Ok(())
}
