//! Running commands as a client does (XEP-0050).

use viaduct_gateway_tests::prelude::*;

use super::registration_support::form;

/// What a command answered.
pub(crate) struct Stage {
    pub(crate) status: String,
    pub(crate) session: String,
    pub(crate) xml: String,
    command: Element,
}

impl Stage {
    /// Reads an answer, which must not be an error.
    pub(crate) fn of(answer: &Element) -> Result<Self> {
        let command = answer
            .get_child("command", ns::COMMANDS)
            .with_context(|| format!("no command: {}", answer.xml()))?;
        ensure!(answer.kind() == "result", "a result: {}", answer.xml());
        let attr = |name: &str| command.attr(name).unwrap_or_default().to_owned();
        Ok(Self {
            status: attr("status"),
            session: attr("sessionid"),
            xml: answer.xml(),
            command: command.clone(),
        })
    }

    /// Goes on with a session, with this action and these fields; gives the raw answer.
    pub(crate) async fn next_of(
        client: &Client,
        node: &str,
        session: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Element> {
        let command = tag("command")
            .ns(ns::COMMANDS)
            .attr("node", node)
            .attr("sessionid", session);
        let command = match action {
            "" => command,
            action => command.attr("action", action),
        };
        client.set(GATEWAY, command.child(form(None, fields))).await
    }

    /// Goes on with this session, which must work.
    pub(crate) async fn go_on(
        &self,
        client: &Client,
        node: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Self> {
        let next = Self::of(&Self::next_of(client, node, &self.session, action, fields).await?)?;
        ensure!(next.session == self.session, "the same session: {}", next.xml);
        Ok(next)
    }

    /// Its form.
    pub(crate) fn form(&self) -> Option<&Form> {
        self.command.get_child("x", ns::DATA)
    }

    /// Its note.
    pub(crate) fn note(&self) -> Option<&Element> {
        self.command.get_child("note", ns::COMMANDS)
    }

    /// The actions that it permits, and the one that `execute` stands for.
    pub(crate) fn actions(&self) -> Result<(Vec<String>, String)> {
        let actions = self
            .command
            .get_child("actions", ns::COMMANDS)
            .with_context(|| format!("no actions: {}", self.xml))?;
        let names = actions.children().map(|child| child.name().to_owned()).collect();
        Ok((names, actions.attr("execute").unwrap_or_default().to_owned()))
    }
}

/// A form, as an element.
pub(crate) type Form = Element;

/// All the text of a form.
pub(crate) trait FormExt {
    /// Labels, names and values, one after the other.
    fn text_of_all(&self) -> String;
}

impl FormExt for Form {
    fn text_of_all(&self) -> String {
        let fields = self.children().filter(|child| child.name() == "field");
        let texts = fields.flat_map(|field| {
            let label = field.attr("label").unwrap_or_default().to_owned();
            let values = field.children().map(Element::text);
            std::iter::once(label).chain(values).collect::<Vec<_>>()
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// Begins a command, which must work.
pub(crate) async fn begin(client: &Client, node: &str) -> Result<Stage> {
    let command = tag("command")
        .ns(ns::COMMANDS)
        .attr("node", node)
        .attr("action", "execute");
    Stage::of(&client.set(GATEWAY, command).await?)
}

/// Runs a command of one form.
pub(crate) async fn run(client: &Client, node: &str, fields: &[(&str, &str)]) -> Result<Stage> {
    let begun = begin(client, node).await?;
    begun.go_on(client, node, "complete", fields).await
}
