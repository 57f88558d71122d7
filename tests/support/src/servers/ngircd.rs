//! ngIRCd: its configuration for tests.

use anyhow::Result;

use super::OPERATOR;
use super::irc::Setup;
use crate::process::{Spec, User};

pub(super) fn prepare(setup: &Setup<'_>, user: &User) -> Result<Spec> {
    let file = setup.directory.join("ngircd.conf");
    user.write(&setup.directory.join("dh.pem"), FFDHE2048)?;
    user.write(&file, &configuration(setup))?;
    let spec = Spec::new("ngircd", "ngircd", setup.directory, user)?;
    Ok(spec.args(["--nodaemon", "--config"]).args([file.display()]))
}

fn configuration(setup: &Setup<'_>) -> String {
    let directory = setup.directory.display();
    let (name, password) = OPERATOR;
    let (listen, port) = (setup.plain.ip(), setup.plain.port());
    let tls = setup
        .tls
        .as_ref()
        .map_or_else(String::new, |(addr, certificate)| {
            let port = addr.port();
            let (chain, key) = (certificate.chain.display(), certificate.key.display());
            format!(
                "[SSL]\nCertFile = {chain}\nKeyFile = {key}\nDHFile = {directory}/dh.pem\nPorts = {port}\n"
            )
        });
    format!(
        "# Made by viaduct's tests.
[Global]
Name = irc.test
Info = an IRC server for tests
Network = testnet
MotdPhrase = Welcome to the test
AdminInfo1 = nobody
AdminEMail = nobody@irc.test
Listen = {listen}
Ports = {port}

[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 30
MaxListSize = 10000
MaxPenaltyTime = 0
PingTimeout = 120
PongTimeout = 60

[Options]
DNS = no
Ident = no
PAM = no
OperCanUseMode = yes

[Operator]
Name = {name}
Password = {password}

{tls}"
    )
}

/// The well-known group of RFC 7919: without it ngIRCd makes one of its own at every start.
const FFDHE2048: &str = "-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
";
