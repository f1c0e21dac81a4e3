//! What a running function sees of the rendering it belongs to.

use std::any::Any;

use crate::template::function::FunctionError;
use crate::template::host::Host;
use crate::template::limits::Limits;

/// One rendering: its world, its limits, and what its functions remember between calls.
pub struct Session<'h> {
    host: &'h mut dyn Host,
    limits: Limits,
    steps: u64,
    locals: Vec<Box<dyn Any>>,
}

/// The bytes of text that count as one step of work.
const BYTES_PER_STEP: usize = 64;

impl<'h> Session<'h> {
    /// A rendering in the world of `host`.
    pub fn new(host: &'h mut dyn Host, limits: Limits) -> Self {
        Self { host, limits, steps: 0, locals: Vec::new() }
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts one step; false once there have been too many.
    pub const fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps <= self.limits.steps
    }

    /// Counts the making of a text; false once it is too long or there have been too many.
    pub const fn made(&mut self, bytes: usize) -> bool {
        self.steps += (bytes / BYTES_PER_STEP) as u64;
        bytes <= self.limits.output && self.steps <= self.limits.steps
    }
}

/// The rendering that a function runs in.
pub struct Scope<'s, 'h> {
    session: &'s mut Session<'h>,
}

impl<'s, 'h> Scope<'s, 'h> {
    /// A function's view of `session`.
    #[must_use]
    pub const fn new(session: &'s mut Session<'h>) -> Self {
        Self { session }
    }

    /// The world.
    pub fn host(&mut self) -> &mut (dyn Host + 'h) {
        self.session.host
    }

    /// What a function remembers within one rendering (`scratch`, counters), one of each type;
    /// made when first asked for, gone with the rendering.
    pub fn local<T: Default + 'static>(&mut self) -> &mut T {
        let locals = &mut self.session.locals;
        let at = locals.iter().position(|local| local.is::<T>()).unwrap_or_else(|| {
            locals.push(Box::new(T::default()));
            locals.len() - 1
        });
        locals[at].downcast_mut().expect("found by this type, or just made of it")
    }

    /// The limits of this rendering.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        self.session.limits()
    }

    /// Asks before making `bytes` of text or `bytes / 64` elements: to be called by whatever can
    /// make much out of little (`repeat`, `indent`, `until`).
    ///
    /// # Errors
    /// Where it would be more than the limits allow.
    pub fn spend(&mut self, bytes: usize) -> Result<(), FunctionError> {
        if self.session.made(bytes) {
            Ok(())
        } else {
            Err(FunctionError::new("too much text for one rendering"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::host::Nowhere;

    #[test]
    fn locals_are_one_of_a_type_and_last() {
        let mut world = Nowhere;
        let mut session = Session::new(&mut world, Limits::default());
        *Scope::new(&mut session).local::<u32>() = 7;
        Scope::new(&mut session).local::<String>().push('x');
        assert_eq!(*Scope::new(&mut session).local::<u32>(), 7);
    }

    #[test]
    fn work_ends_at_the_limit() {
        let mut world = Nowhere;
        let mut session = Session::new(&mut world, Limits { steps: 1, output: 100, ..Limits::default() });
        assert!(Scope::new(&mut session).spend(100).is_ok());
        assert!(Scope::new(&mut session).spend(101).is_err());
        assert!(!session.step(), "the texts used them up");
    }
}
