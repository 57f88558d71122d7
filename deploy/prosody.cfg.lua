-- What Prosody needs to know of viaduct. Debian's Prosody reads it from /etc/prosody/conf.d/.

-- Where components connect. This is the default: on this machine only, as the connection is not encrypted.
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" }

-- After a network failure Prosody may not have noticed yet that the old connection is dead. Without this it would
-- refuse the new one until it has ("conflict").
component_conflict_resolve = "kick_old"

-- One entry for each domain in viaduct.toml, with the secret that is there.
Component "irc.example.org"
    component_secret = "the secret of [gateway.irc] in viaduct.toml"
