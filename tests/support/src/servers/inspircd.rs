//! InspIRCd 3: its configuration for tests.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::Result;

use super::irc::Setup;
use super::{OPERATOR, anope};
use crate::process::{Spec, User};

/// What is loaded: all of IRCv3 that it has without services, the prefixes `~&%`, TLS, and what operators and
/// channels of a large network use.
const MODULES: &[&str] = &[
    "allowinvite",
    "banexception",
    "blockcolor",
    "callerid",
    "cap",
    "chghost",
    "chgname",
    "customprefix",
    "delayjoin",
    "hidechans",
    "inviteexception",
    "ircv3",
    "ircv3_accounttag",
    "ircv3_batch",
    "ircv3_capnotify",
    "ircv3_chghost",
    "ircv3_ctctags",
    "ircv3_echomessage",
    "ircv3_invitenotify",
    "ircv3_labeledresponse",
    "ircv3_msgid",
    "ircv3_servertime",
    "joinflood",
    "knock",
    "messageflood",
    "monitor",
    "muteban",
    "namesx",
    "nokicks",
    "nonicks",
    "permchannels",
    "redirect",
    "sajoin",
    "sakick",
    "samode",
    "sanick",
    "sapart",
    "services_account",
    "sethost",
    "setname",
    "ssl_gnutls",
    "sslinfo",
    "sslmodes",
    "stripcolor",
    "uhnames",
];

/// What services need beside that.
const FOR_SERVICES: &[&str] = &["chgident", "sasl", "spanningtree", "svshold"];

pub(super) fn prepare(setup: &Setup<'_>, user: &User) -> Result<Spec> {
    let file = setup.directory.join("inspircd.conf");
    user.write(&setup.directory.join("motd"), "Welcome to the test\n")?;
    user.write(&file, &configuration(setup)?)?;
    let spec = Spec::new("inspircd", "inspircd", setup.directory, user)?;
    Ok(spec
        .args(["--nofork", "--nopid", "--config"])
        .args([file.display()]))
}

fn configuration(setup: &Setup<'_>) -> Result<String> {
    let directory = setup.directory.display();
    let (name, password) = OPERATOR;
    let mut text = format!(
        r#"# Made by viaduct's tests.
<server name="irc.test" description="an IRC server for tests" network="testnet" id="00A">
<admin name="nobody" nick="nobody" email="nobody@irc.test">
<power diepass="" restartpass="">
<files motd="{directory}/motd">
<log method="file" type="* -USERINPUT -USEROUTPUT -MODULE" level="default" target="{directory}/own.log">

# Nothing is looked up, nothing is paced, and one address may connect as often as it likes.
<connect name="all" allow="*" timeout="60" pingfreq="120" resolvehostnames="no" maxconnwarn="no"
    fakelag="no" threshold="1000000" commandrate="100000000"
    recvq="10M" softsendq="50M" hardsendq="100M" localmax="100000" globalmax="100000" maxchans="100000">
<performance clonesonconnect="no" softlimit="100000" somaxconn="1024" netbuffersize="65534">
<dns server="127.0.0.1" timeout="1">

<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*" snomasks="*">
<type name="operator" classes="all">
<oper name="{name}" password="{password}" host="*@*" type="operator">

<options prefixquit="Quit: " casemapping="rfc1459" hostintopic="yes" defaultmodes="not" syntaxhints="yes">
<limits maxnick="30" maxchan="60" maxtopic="390" maxkick="300" maxgecos="128" maxaway="200">
<security announceinvites="dynamic" hidesplits="no" hidebans="no" maxtargets="20">

<customprefix name="founder" letter="q" prefix="~" rank="50000" ranktoset="50000">
<customprefix name="admin" letter="a" prefix="&amp;" rank="40000" ranktoset="50000">
<customprefix name="halfop" letter="h" prefix="%" rank="20000" ranktoset="30000">
"#
    );
    for module in MODULES {
        writeln!(text, r#"<module name="{module}">"#)?;
    }
    let bind = |addr: &SocketAddr, more: &str| {
        format!(
            "<bind address=\"{}\" port=\"{}\" type=\"clients\"{more}>\n",
            addr.ip(),
            addr.port()
        )
    };
    text += &bind(&setup.plain, "");
    if let Some((addr, certificate)) = &setup.tls {
        let (chain, key) = (certificate.chain.display(), certificate.key.display());
        let profile = format!(r#"provider="gnutls" certfile="{chain}" keyfile="{key}" hash="sha256""#);
        writeln!(
            text,
            r#"<sslprofile name="tls" {profile} requestclientcert="yes">"#
        )?;
        text += &bind(addr, r#" sslprofile="tls""#);
    }
    if let Some(link) = setup.link {
        for module in FOR_SERVICES {
            writeln!(text, r#"<module name="{module}">"#)?;
        }
        let (name, password, ip, port) = (anope::NAME, anope::LINK_PASSWORD, link.ip(), link.port());
        writeln!(
            text,
            r#"<bind address="{ip}" port="{port}" type="servers">
<link name="{name}" ipaddr="{ip}" port="{port}" allowmask="127.0.0.0/8" sendpass="{password}" recvpass="{password}">
<uline server="{name}" silent="yes">
<sasl target="{name}" requiressl="no">"#
        )?;
    }
    Ok(text)
}
