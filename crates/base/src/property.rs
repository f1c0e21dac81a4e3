//! Properties of small domains. A test tries every value of them; a prover can take the same property to all values
//! that fit, since its body is a pure function of its arguments.

/// Declares a property: a name, its arguments with their ranges, and what must hold.
///
/// Under `cargo test` it is a test that tries every combination of values. Where [Kani](https://model-checking.github.io/kani/)
/// compiles the crate (`cargo kani`), it is a proof that takes the arguments as unknown values of those ranges.
///
/// ```
/// leasehold_base::property! {
///     /// Adding is the same both ways round.
///     fn a_sum_does_not_depend_on_the_order(one: u32 in 0..=40, other: u32 in 0..=40) {
///         assert_eq!(one + other, other + one);
///     }
/// }
/// ```
#[macro_export]
macro_rules! property {
    ($($(#[$about:meta])* fn $name:ident($($argument:ident: $type:ident in $range:expr),+ $(,)?) $body:block)+) => {$(
        $(#[$about])*
        #[cfg(all(test, not(kani)))]
        #[test]
        fn $name() {
            $crate::property!(@each $body $($argument: $type in $range,)+);
        }

        $(#[$about])*
        #[cfg(kani)]
        #[kani::proof]
        fn $name() {
            $(let $argument: $type = kani::any(); kani::assume(($range).contains(&$argument));)+
            $body
        }
    )+};
    (@each $body:block) => { $body };
    (@each $body:block $argument:ident: $type:ident in $range:expr, $($rest:tt)*) => {
        for $argument in $range {
            let $argument: $type = $argument;
            $crate::property!(@each $body $($rest)*);
        }
    };
}
