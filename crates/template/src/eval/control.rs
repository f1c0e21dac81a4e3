//! `if`, `with`, `range` and `template`.

use super::{Evaluation, Flow, Operand, Result};
use crate::node::{At, Branch, Invocation, Node};
use crate::value::{Type, Value};

impl<'t> Evaluation<'t, '_, '_> {
    /// Executes `if` or `with`, which differ in what dot is inside.
    pub(super) fn choose(&mut self, dot: &Operand, branch: &'t Branch, with: bool) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = match (&branch.otherwise, value.value.is_true()) {
            (_, true) => self.body(if with { &value } else { dot }, &branch.body)?,
            (Some(otherwise), false) => self.body(dot, otherwise)?,
            (None, false) => Flow::Next,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    pub(super) fn invoke(
        &mut self,
        dot: &Operand,
        node: &'t Node,
        invocation: &'t Invocation,
    ) -> Result<Flow> {
        self.at = Some(At::Node(node));
        let Some((name, body)) = self.template.definition(&invocation.name) else {
            let name = crate::spell::quoted(&invocation.name);
            return Err(self.error(format!("template {name} not defined")));
        };
        if self.rendering.depth >= self.rendering.limits.depth {
            let most = self.rendering.limits.depth;
            return Err(self.limit(format!("exceeded maximum template depth ({most})")));
        }
        let data = match &invocation.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Operand::default(),
        };
        // A template does not see the variables around its invocation.
        let variables = std::mem::replace(&mut self.variables, vec![(b"$", data.clone())]);
        let executing = std::mem::replace(&mut self.executing, name);
        self.body(&data, body)?;
        self.variables = variables;
        self.executing = executing;
        Ok(Flow::Next)
    }

    pub(super) fn range(&mut self, dot: &Operand, branch: &'t Branch) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?.value;
        let ran = self.iterate(&value, branch)?;
        let mut flow = Flow::Next;
        if let (false, Some(otherwise)) = (ran, &branch.otherwise) {
            flow = self.body(dot, otherwise)?;
            // Only the `range` itself ends at a `break` in its `else`; Go lets `continue` through.
            if flow == Flow::Break {
                flow = Flow::Next;
            }
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// Runs the body for every element. Returns whether there were any.
    fn iterate(&mut self, value: &Value, branch: &'t Branch) -> Result<bool> {
        let index = |index: usize| Operand::plain(Value::int(i64::try_from(index).unwrap_or(i64::MAX)));
        match value {
            Value::Int(size, count) => {
                let items =
                    (0..*count).map(|item| (Operand::default(), Operand::plain(Value::Int(*size, item))));
                self.iterate_number(value, items, branch)
            }
            Value::Uint(size, count) => {
                let items =
                    (0..*count).map(|item| (Operand::default(), Operand::plain(Value::Uint(*size, item))));
                self.iterate_number(value, items, branch)
            }
            Value::List(list) => {
                let items = list.items().iter().enumerate();
                self.over(items.map(|(at, item)| (index(at), Operand::of(item.clone(), list.elem()))), branch)
            }
            Value::Map(map) => {
                let (keys, elem) = (map.key_type(), map.elem());
                let items = map.entries().into_iter();
                self.over(
                    items.map(|(key, item)| (Operand::of(key.to_value(), keys), Operand::of(item, elem))),
                    branch,
                )
            }
            Value::Channel(channel) => {
                let items = std::iter::from_fn(|| channel.receive()).enumerate();
                self.over(items.map(|(at, item)| (index(at), Operand::plain(item))), branch)
            }
            Value::Nil | Value::NilOf(Type::Slice(_) | Type::Map(..) | Type::Chan(_)) => Ok(false),
            // Go shows the value here. This error does not, because it may be a secret.
            other => Err(self.error(format!("range can't iterate over {}", Self::type_name(other)))),
        }
    }

    fn iterate_number(
        &mut self,
        value: &Value,
        items: impl Iterator<Item = (Operand, Operand)>,
        branch: &'t Branch,
    ) -> Result<bool> {
        if branch.pipe.variables.len() > 1 {
            let name = Self::type_name(value);
            return Err(self.error(format!("can't use {name} to iterate over more than one variable")));
        }
        self.over(items, branch)
    }

    fn over(&mut self, items: impl Iterator<Item = (Operand, Operand)>, branch: &'t Branch) -> Result<bool> {
        let mark = self.variables.len();
        let mut rounds = 0;
        for (index, item) in items {
            rounds += 1;
            if rounds > self.rendering.limits.range {
                let most = self.rendering.limits.range;
                return Err(self.limit(format!("range goes round more than {most} times")));
            }
            self.step()?;
            self.set_loop_variables(index, &item, branch)?;
            let flow = self.body(&item, &branch.body)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(rounds > 0)
    }

    /// Sets the variables of a `range` for one round. With two variables, the first is the index. A single variable is
    /// the element.
    fn set_loop_variables(&mut self, index: Operand, item: &Operand, branch: &'t Branch) -> Result<()> {
        let pipe = &branch.pipe;
        let top = self.variables.len();
        match (pipe.variables.as_slice(), pipe.assign) {
            ([], _) => {}
            ([only], true) => self.assign(only.expose(), item.clone())?,
            ([first, second, ..], true) => {
                self.assign(first.expose(), index)?;
                self.assign(second.expose(), item.clone())?;
            }
            ([_], false) => self.variables[top - 1].1 = item.clone(),
            ([..], false) => {
                self.variables[top - 1].1 = item.clone();
                self.variables[top - 2].1 = index;
            }
        }
        Ok(())
    }
}
