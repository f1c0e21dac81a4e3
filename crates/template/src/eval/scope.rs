//! What a running function can reach of the rendering that it belongs to.

use std::any::Any;

use super::{MissingKey, run};
use crate::Template;
use crate::buffer::Buffer;
use crate::error::ExecError;
use crate::function::FunctionError;
use crate::host::Host;
use crate::limits::Limits;
use crate::value::Value;
use leasehold_base::held;
use leasehold_base::secret::Secret;

/// One rendering: its host, its limits, and what its functions keep between calls.
pub(crate) struct Rendering<'h> {
    host: &'h mut dyn Host,
    pub(super) limits: Limits,
    pub(super) missing_key: MissingKey,
    /// The depth of the evaluator's recursion.
    pub(super) depth: usize,
    steps: u64,
    /// The bytes of output that are held at this moment. A template that calls another as a text
    /// (`executeTemplate`) holds its own meanwhile.
    pub(super) written: usize,
    /// What this thread held before.
    before: usize,
    locals: Vec<Box<dyn Any>>,
}

/// The bytes of text that count as one step of work. A function that walks a value [spends](Scope::spend)
/// this much on each part, because a part may stand in many places at once.
pub(crate) const A_STEP: usize = 64;

impl<'h> Rendering<'h> {
    pub(crate) fn new(host: &'h mut dyn Host, missing_key: MissingKey, limits: Limits) -> Self {
        Self {
            host,
            limits,
            missing_key,
            depth: 0,
            steps: 0,
            written: 0,
            before: held::now(),
            locals: Vec::new(),
        }
    }

    /// Counts one step. Returns false if there have been too many.
    pub(super) const fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps <= self.limits.steps
    }

    /// Counts a text of `bytes` bytes as work.
    ///
    /// # Errors
    /// [`FunctionError`] if it is too long, or if there has been too much work.
    pub(super) fn made(&mut self, bytes: usize) -> Result<(), FunctionError> {
        self.steps += (bytes / A_STEP) as u64;
        let within = bytes <= self.limits.output && self.steps <= self.limits.steps;
        if within { Ok(()) } else { Err(FunctionError::too_much()) }
    }

    /// Checks that there is memory for `more` bytes beside the values that the rendering holds.
    ///
    /// # Errors
    /// [`FunctionError`] if there is not.
    pub(super) fn room_for(&self, more: usize) -> Result<(), FunctionError> {
        let within = held::since(self.before).saturating_add(more) <= self.limits.held;
        if within { Ok(()) } else { Err(FunctionError::too_large(self.limits.held)) }
    }

    /// Returns the longest text that may be made now.
    pub(super) fn longest(&self) -> usize {
        self.limits.output.min(self.limits.held.saturating_sub(held::since(self.before)))
    }

    /// Says which limit it was that left room for a text of `longest` bytes only.
    pub(super) fn explain(&self, error: FunctionError, longest: usize) -> FunctionError {
        let is_held = longest < self.limits.output && error == FunctionError::too_much();
        if is_held { FunctionError::too_large(self.limits.held) } else { error }
    }
}

/// The rendering that a function runs in: its [host](crate::host::Host), its limits, and its memory.
pub struct Scope<'s, 'h> {
    rendering: &'s mut Rendering<'h>,
    template: &'s Template,
}

impl<'s, 'h> Scope<'s, 'h> {
    pub(super) const fn new(rendering: &'s mut Rendering<'h>, template: &'s Template) -> Self {
        Self { rendering, template }
    }

    /// Returns the host of this rendering.
    pub fn host(&mut self) -> &mut (dyn Host + 'h) {
        self.rendering.host
    }

    /// Returns what functions keep between calls within one rendering, such as a counter: one value of each type `T`. It is made
    /// by the first call and dropped with the rendering.
    pub fn local<T: Default + 'static>(&mut self) -> &mut T {
        let locals = &mut self.rendering.locals;
        let at = locals.iter().position(|local| local.is::<T>()).unwrap_or_else(|| {
            locals.push(Box::new(T::default()));
            locals.len() - 1
        });
        locals[at].downcast_mut().expect("found by this type, or just made of it")
    }

    /// Returns the limits of this rendering.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.rendering.limits
    }

    /// Makes a text with `write`, which is as long as the limits allow at most, and charges this rendering for it.
    ///
    /// # Errors
    /// [`FunctionError`] if `write` fails, or if that is more than the limits allow.
    pub fn write(
        &mut self,
        write: impl FnOnce(&mut Buffer) -> Result<(), FunctionError>,
    ) -> Result<Secret, FunctionError> {
        let longest = self.rendering.longest();
        let mut out = Buffer::new(longest);
        let written = write(&mut out).and_then(|()| {
            if out.is_full() { Err(FunctionError::too_much()) } else { self.rendering.made(out.len()) }
        });
        written.map_err(|error| self.rendering.explain(error, longest))?;
        Ok(out.into_secret())
    }

    /// Charges this rendering for `bytes` of text, or for `bytes / 64` elements, before a function makes them. Every
    /// function that can make much out of little (`repeat`, `indent`, `until`) calls it.
    ///
    /// # Errors
    /// [`FunctionError`] if that is more than the limits allow.
    pub fn spend(&mut self, bytes: usize) -> Result<(), FunctionError> {
        self.rendering.made(bytes)?;
        self.rendering.room_for(bytes)
    }

    /// Renders another template of the same text with `data` as dot, as the function `executeTemplate` does.
    ///
    /// # Errors
    /// [`FunctionError`] if the rendering fails, or if no template has this name.
    pub fn execute_template(&mut self, name: &[u8], data: Value) -> Result<Secret, FunctionError> {
        // The error leaves out the name, which may come out of a secret.
        if self.template.definition(name).is_none() {
            return Err(FunctionError::new("there is no template of this name"));
        }
        run(self.rendering, self.template, name, data)
            .map_err(|error: Box<ExecError>| FunctionError::caused(error.to_string(), error.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Functions;
    use crate::host::Nowhere;

    fn with_scope(limits: Limits, test: impl FnOnce(&mut Scope<'_, '_>)) {
        let template = Template::parse("t", b"", None, &Functions::new()).expect("an empty template");
        let mut world = Nowhere;
        let mut rendering = Rendering::new(&mut world, MissingKey::Error, limits);
        test(&mut Scope::new(&mut rendering, &template));
    }

    #[test]
    fn locals_are_one_of_a_type_and_last() {
        with_scope(Limits::default(), |scope| {
            *scope.local::<u32>() = 7;
            scope.local::<String>().push('x');
            assert_eq!(*scope.local::<u32>(), 7);
        });
    }

    #[test]
    fn work_ends_at_the_limit() {
        with_scope(Limits { steps: 1, output: 100, ..Limits::default() }, |scope| {
            assert!(scope.spend(101).is_err(), "too long at once");
            assert!(scope.spend(100).is_err(), "too much in all");
        });
    }
}
