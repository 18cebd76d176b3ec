//! What the plugins that choose boxes compute, one box after the other.

/// Numbers that look random, from 0 to 1.
pub(super) struct Draw(pub(super) u32);

impl Draw {
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }

    pub(super) fn next(&mut self) -> f32 {
        self.bits() as f32 / 16_777_216.0
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.bits() as usize / 256 % end
    }

    /// Corners, or centers with sizes.
    pub(super) fn boxes(&mut self, count: usize, centers: bool, scale: f32) -> Vec<f32> {
        let mut all = Vec::new();
        for _ in 0..count {
            let (x, y) = (self.next() * 0.6 + 0.2, self.next() * 0.6 + 0.2);
            let (w, h) = (self.next() * 0.4 + 0.05, self.next() * 0.4 + 0.05);
            let numbers = if centers {
                [x, y, w, h]
            } else {
                [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
            };
            all.extend(numbers.map(|number| number * scale));
        }
        all
    }
}

pub(super) type Corners = [f32; 4];

/// Intersection over union. What two boxes share, and what each covers, is longer by so much.
fn iou(a: Corners, b: Corners, [more_shared, more_covered]: [f32; 2]) -> f32 {
    let side = |corners: Corners, at: usize| {
        (corners[at].min(corners[at + 2]), corners[at].max(corners[at + 2]))
    };
    let (mut shared, mut areas) = (1.0, [1.0, 1.0]);
    for at in 0..2 {
        let (a, b) = (side(a, at), side(b, at));
        shared *= (a.1.min(b.1) - a.0.max(b.0) + more_shared).max(0.0);
        areas[0] *= a.1 - a.0 + more_covered;
        areas[1] *= b.1 - b.0 + more_covered;
    }
    if shared > 0.0 { shared / (areas[0] + areas[1] - shared) } else { 0.0 }
}

/// A box that was chosen.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) score: f32,
    pub(super) class: usize,
    pub(super) corners: Corners,
}

/// The options of `EfficientNMS_TRT` that choose.
pub(super) struct Efficient {
    pub(super) limit: f32,
    pub(super) iou: f32,
    pub(super) most: usize,
    pub(super) agnostic: bool,
}

impl Efficient {
    /// Of the candidates of an image, those that no better one reaches.
    pub(super) fn chosen(&self, mut candidates: Vec<Kept>) -> Vec<Kept> {
        candidates.retain(|of| of.score >= self.limit);
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut kept: Vec<Kept> = Vec::new();
        for of in candidates {
            let clear = |better: &Kept| {
                let other = !self.agnostic && better.class != of.class;
                other || iou(better.corners, of.corners, [0.0; 2]) < self.iou
            };
            if kept.len() < self.most && kept.iter().all(clear) {
                kept.push(of);
            }
        }
        kept
    }
}

/// The options of `BatchedNMSDynamic_TRT` that choose.
pub(super) struct Batched {
    pub(super) limit: f32,
    pub(super) iou: f32,
    pub(super) top: usize,
    pub(super) most: usize,
    pub(super) more: [f32; 2],
}

impl Batched {
    /// Of the candidates of an image, the best of those that each class leaves.
    pub(super) fn chosen(&self, candidates: &[Kept], classes: usize) -> Vec<Kept> {
        let mut all: Vec<Kept> = Vec::new();
        for class in 0..classes {
            let own = candidates.iter().filter(|of| of.class == class && of.score > self.limit);
            let mut own: Vec<Kept> = own.copied().collect();
            own.sort_by(|a, b| b.score.total_cmp(&a.score));
            let mut kept: Vec<Kept> = Vec::new();
            for of in own.into_iter().take(self.top) {
                if kept.iter().all(|k| iou(k.corners, of.corners, self.more) <= self.iou) {
                    kept.push(of);
                }
            }
            all.extend(kept);
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all.truncate(self.most);
        all
    }
}
