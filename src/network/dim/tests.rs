use super::*;

fn n() -> Dim {
    Dim::named("N")
}

#[test]
fn expressions_have_one_form() {
    let two = Dim::Known(2);
    let a = &(&(&n() + &Dim::Known(1)) * &two) - &two;
    assert_eq!(a, &n() * &two);
    assert_eq!(a.to_string(), "2·N");
    assert_eq!((&n() - &n()), Dim::Known(0));
    assert_eq!((&n() * &Dim::named("M")), (&Dim::named("M") * &n()));
    assert_eq!(n().maximum(&Dim::Known(3)), Dim::Known(3).maximum(&n()));
}

#[test]
fn division_cancels_where_it_is_exact() {
    let four_n = &n() * &Dim::Known(4);
    assert_eq!(four_n.floor_div(&n()), Some(Dim::Known(4)));
    assert_eq!(four_n.floor_div(&Dim::Known(2)), Some(&n() * &Dim::Known(2)));
    let odd = &n() + &Dim::Known(1);
    assert_eq!(odd.floor_div(&Dim::Known(2)).unwrap().to_string(), "⌊(N + 1)/(2)⌋");
    assert_eq!(odd.floor_div(&Dim::Known(0)), None);
    assert_eq!(Dim::Known(-7).floor_div(&Dim::Known(2)), Some(Dim::Known(-4)));
    assert_eq!(Dim::Known(7).ceil_div(&Dim::Known(2)), Some(Dim::Known(4)));
}

#[test]
fn evaluates_with_values_for_symbols() {
    let d = (&(&n() * &n()) - &Dim::Known(3)).floor_div(&Dim::Known(2)).unwrap();
    assert_eq!(d.eval(&|symbol| (symbol.to_string() == "N").then_some(4)), Some(6));
    assert_eq!(d.eval(&|_| None), None);
    assert_eq!(n().eval(&|_| Some(i64::MAX)), Some(i64::MAX));
}

#[test]
fn sizes_are_never_negative() {
    let one = Dim::Known(1);
    assert!((&n() + &one).is_nonnegative());
    assert!(!(&n() - &one).is_nonnegative());
    assert!((&n() - &one).maximum(&Dim::Known(0)).is_nonnegative());
    assert_eq!(n().as_symbol(), Some(&Symbol::Named("N".into())));
    assert_eq!((&n() + &one).as_symbol(), None);
}

#[test]
fn simple_expressions_are_short() {
    let symbols = |from: i32, count: i32| {
        (from..from + count).fold(Dim::Known(0), |sum, i| &sum + &Dim::named(format!("n{i}")))
    };
    assert!(symbols(0, 64).is_simple());
    assert!(!symbols(0, 65).is_simple());
    assert!(!(&symbols(0, 8) * &symbols(8, 8)).is_simple());
    let mut nested = n();
    for i in 0..40 {
        nested = (&nested + &Dim::named(format!("k{i}"))).floor_div(&m()).unwrap();
    }
    assert!(!nested.is_simple());
}

#[test]
fn absurd_sizes_saturate() {
    let huge = Dim::Known(i64::MAX);
    assert_eq!(&huge * &huge, huge);
    assert_eq!(Shape(vec![huge.clone(), Dim::Known(0)]).volume(), Dim::Known(0));
}

fn m() -> Dim {
    Dim::named("M")
}

#[test]
fn symbols_are_equal_only_as_such() {
    let made_up = |number| Dim::from(Symbol::MadeUp { number, from: "NonZero" });
    assert_eq!(made_up(2).to_string(), "nonzero#2");
    assert_ne!(made_up(2), Dim::named("nonzero#2"));
    assert_ne!(made_up(2), made_up(3));
    let axis = Dim::from(Symbol::Axis { input: "x".into(), axis: 0 });
    assert_eq!(axis.to_string(), "x.0");
    assert_ne!(axis, Dim::named("x.0"));
}

#[test]
fn maxima_hold_nothing_that_is_certain() {
    let (one, five) = (Dim::Known(1), Dim::Known(5));
    assert_eq!(n().maximum(&n().maximum(&m())), n().maximum(&m()));
    assert_eq!((&n() + &one).maximum(&n().maximum(&m())), (&n() + &one).maximum(&m()));
    assert_eq!((&n() + &m()).maximum(&(&five + &m())), &m() + &n().maximum(&five));
    assert_eq!(n().maximum(&Dim::Known(0)), n());
    assert_eq!(n().maximum(&n().minimum(&five)), n());
    assert_eq!((&n() * &m()).maximum(&(&n() * &m().minimum(&five))), &n() * &m());
    // What tf2onnx makes of `x[-1]`.
    let last = (&n() - &one).maximum(&Dim::Known(0));
    let first = (&n() - &last).maximum(&Dim::Known(0));
    assert_eq!(first, n().minimum(&one));
    assert_eq!(&n() - &first, last);
    assert_eq!(last.to_string(), "max(0, N - 1)");
    assert_eq!(first.to_string(), "min(N, 1)");
}

#[test]
fn quotients_have_one_form() {
    let by = |dim: &Dim, by: i64| dim.floor_div(&Dim::Known(by)).unwrap();
    let (three, eight) = (Dim::Known(3), Dim::Known(8));
    assert_eq!(by(&(&by(&n(), 2) + &three), 4), by(&(&n() + &Dim::Known(6)), 8));
    assert_eq!(by(&(&(&n() * &eight) + &three), 4), &n() * &Dim::Known(2));
    assert_eq!(by(&(&(&n() * &eight) + &m()), 4), &(&n() * &Dim::Known(2)) + &by(&m(), 4));
    assert_eq!(
        by(&(&(&n() * &Dim::Known(6)) + &three), 4),
        by(&(&(&n() * &three) + &Dim::Known(1)), 2)
    );
    assert_eq!(n().ceil_div(&eight), Some(by(&(&n() + &Dim::Known(7)), 8)));
    let volume = &(&Dim::Known(16) * &n()) * &by(&m(), 8);
    assert_eq!(volume.floor_div(&(&n() * &eight)), Some(&Dim::Known(2) * &by(&m(), 8)));
    let square = &(&n() + &m()) * &(&n() - &m());
    assert_eq!(square.floor_div(&(&n() + &m())), Some(&n() - &m()));
    assert_eq!(square.exact_div(&(&n() + &three)), None);
}

#[test]
fn orders_are_proven_through_quotients_and_maxima() {
    let half = n().floor_div(&Dim::Known(2)).unwrap();
    assert!(half.at_most(&n()));
    assert!((&half * &Dim::Known(2)).at_most(&n()));
    assert!(!n().at_most(&(&half * &Dim::Known(2))));
    assert!(n().less_than(&(&(&half * &Dim::Known(2)) + &Dim::Known(2))));
    assert!(n().minimum(&m()).at_most(&m()));
    assert!(n().at_most(&n().maximum(&m())));
    assert!(!n().differs_from(&m()));
    assert!((&n() + &Dim::Known(1)).differs_from(&n()));
}

#[test]
fn what_is_known_takes_the_place_of_what_it_equals() {
    let (data, total) = (Dim::from(Symbol::MadeUp { number: 0, from: "Slice" }), Dim::named("T"));
    let mut known = Solution::default();
    known.add(&data, &n());
    known.add(&(&n() + &m()), &total);
    assert_eq!(known.apply(&(&data + &m())), known.apply(&total));
    assert_ne!(known.apply(&data), known.apply(&m()));
    known.add(&n(), &Dim::Known(1));
    assert_eq!(known.apply(&(&n() * &m())), known.apply(&m()));
}

#[test]
fn what_a_size_is_multiplied_with_is_divided_out() {
    let times = |factor: i64, dim: Dim| &Dim::Known(factor) * &dim;
    let mut known = Solution::default();
    known.add(&times(36, n()), &Dim::Known(72));
    assert_eq!(known.apply(&n()), Dim::Known(2));
    let mut known = Solution::default();
    known.add(&times(2, n()), &times(4, m()));
    assert_eq!(known.apply(&n()), known.apply(&times(2, m())));
    // Where that leaves a rest, nothing stands for anything.
    let mut known = Solution::default();
    known.add(&times(3, n()), &times(2, m()));
    known.add(&times(5, n()), &Dim::Known(7));
    assert_eq!(known.apply(&n()), n());
}

/// Draws expressions together with what they mean.
struct Draw(u64);

/// What an operation makes of two numbers.
type Meaning = fn(i64, i64) -> Option<i64>;

/// An expression, and its value for values of `N`, `M` and `S`; `None` where it divides by 0.
type Drawn = (Dim, Box<dyn Fn([i64; 3]) -> Option<i64>>);

impl Draw {
    /// A number below `end` (xorshift64).
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn small(&mut self) -> i64 {
        i64::try_from(self.below(13)).unwrap() - 4
    }

    fn expression(&mut self, depth: u32) -> Drawn {
        let kind = if depth == 0 { self.below(2) } else { self.below(9) };
        if kind == 0 {
            let number = self.small();
            return (Dim::Known(number), Box::new(move |_| Some(number)));
        }
        if kind == 1 {
            let at = usize::try_from(self.below(3)).unwrap();
            return (Dim::named(["N", "M", "S"][at]), Box::new(move |values| Some(values[at])));
        }
        let (a, a_of) = self.expression(depth - 1);
        let (b, b_of) = self.expression(depth - 1);
        let (dim, of): (Option<Dim>, Meaning) = match kind {
            2 => (Some(&a + &b), |a, b| Some(a + b)),
            3 => (Some(&a - &b), |a, b| Some(a - b)),
            4 => (Some(&a * &b), i64::checked_mul),
            5 => (a.floor_div(&b), |a, b| (b != 0).then(|| floor_div(a, b))),
            6 => (Some(a.maximum(&b)), |a, b| Some(a.max(b))),
            7 => (Some(a.minimum(&b)), |a, b| Some(a.min(b))),
            _ => (a.ceil_div(&b), |a, b| (b != 0).then(|| -floor_div(-a, b))),
        };
        match dim.filter(Dim::is_simple) {
            Some(dim) => (dim, Box::new(move |values| of(a_of(values)?, b_of(values)?))),
            None => (a, a_of),
        }
    }
}

#[test]
fn rewriting_keeps_values_and_proofs_hold() {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    let (mut compared, mut proven, mut equal, mut exact) = (0, 0, 0, 0);
    for _ in 0..6000 {
        let ((a, a_of), (b, b_of)) = (draw.expression(4), draw.expression(3));
        let order = (a.at_most(&b), a.less_than(&b), b.less_than(&a));
        let quotient = a.exact_div(&b);
        for _ in 0..12 {
            let values = [0; 3].map(|_| i64::try_from(draw.below(10)).unwrap());
            let named = |symbol: &Symbol| match symbol.to_string().as_str() {
                "N" => Some(values[0]),
                "M" => Some(values[1]),
                _ => Some(values[2]),
            };
            let (Some(x), Some(y)) = (a_of(values), b_of(values)) else { continue };
            // An expression may lose a division by 0 where it cancels, but has no other value.
            let (got, other) = (a.eval(&named), b.eval(&named));
            assert!(got.is_none_or(|got| got == x), "{a} is {got:?}, not {x}, at {values:?}");
            assert!(!order.0 || x <= y, "{a} is {x}, which is not at most {b}, {y}, at {values:?}");
            assert!(
                !order.1 || x < y,
                "{a} is {x}, which is not less than {b}, {y}, at {values:?}"
            );
            assert!(
                !order.2 || y < x,
                "{b} is {y}, which is not less than {a}, {x}, at {values:?}"
            );
            if let (Some(quotient), Some(other)) = (&quotient, other.filter(|&other| other != 0)) {
                assert_eq!(
                    quotient.eval(&named).map(|q| q * other),
                    Some(x),
                    "({a}) / ({b}) at {values:?}"
                );
                exact += 1;
            }
            compared += usize::from(got.is_some());
            proven += usize::from(order.0 || order.1 || order.2);
            equal += usize::from(a == b);
        }
    }
    // Enough of each kind was drawn for the test to mean something.
    assert!(
        compared > 40_000 && proven > 10_000 && equal > 500 && exact > 2_000,
        "{compared} {proven} {equal} {exact}"
    );
}
