//! Work spread over the machine's cores.

use std::num::NonZeroUsize;

/// Results smaller than this are computed faster than threads are started.
const WORTH_THREADS: usize = 1 << 15;

/// Calls `fill` with each piece of `out` and its number, on all cores. All pieces but the last have
/// `piece` elements.
pub(crate) fn pieces<T: Send>(out: &mut [T], piece: usize, fill: impl Fn(usize, &mut [T]) + Sync) {
    let piece = piece.max(1);
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = out.len().div_ceil(piece).div_ceil(threads).max(1);
    if threads == 1 || out.len() < WORTH_THREADS || out.len() <= piece {
        out.chunks_mut(piece).enumerate().for_each(|(i, part)| fill(i, part));
        return;
    }
    std::thread::scope(|scope| {
        for (thread, part) in out.chunks_mut(share.saturating_mul(piece)).enumerate() {
            let fill = &fill;
            scope.spawn(move || {
                part.chunks_mut(piece)
                    .enumerate()
                    .for_each(|(i, part)| fill(thread * share + i, part));
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_filled_once() {
        for (len, piece) in
            [(0, 3), (10, 3), (WORTH_THREADS + 5, 7), (WORTH_THREADS * 2, WORTH_THREADS)]
        {
            let mut out = vec![0usize; len];
            pieces(&mut out, piece, |i, part| {
                part.iter_mut().enumerate().for_each(|(j, x)| *x += i * piece + j);
            });
            assert!(out.iter().enumerate().all(|(i, &x)| i == x), "{len} in pieces of {piece}");
        }
    }
}
