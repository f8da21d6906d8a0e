;; The inner loops of matmul and attention on four floats at a time, and of scores for selection on two doubles
;; (WebAssembly SIMD). Addresses and strides are in bytes.
;; kernels.ts holds the assembled module; after a change: node scripts/assemble.mjs
(module
  (memory (export "memory") 1)

  ;; C (+)= A · B for four rows of A and eight columns of B, in eight vectors of sums: more would not fit sixteen registers.
  ;; A: four rows `aStride` apart, `count` floats each. B: `count` rows of eight floats, `bStride` apart. C: four rows of
  ;; eight floats, `cStride` apart; where `add` is not 0, what is there is added last, so that sums of sums stay close.
  (func $tile
    (param $a i32) (param $aStride i32) (param $b i32) (param $bStride i32) (param $count i32)
    (param $c i32) (param $cStride i32) (param $add i32)
    (local $a1 i32) (local $a2 i32) (local $a3 i32) (local $c1 i32) (local $c2 i32) (local $c3 i32) (local $end i32)
    (local $x v128) (local $b0 v128) (local $b1 v128)
    (local $s00 v128) (local $s01 v128) (local $s10 v128) (local $s11 v128)
    (local $s20 v128) (local $s21 v128) (local $s30 v128) (local $s31 v128)
    (local.set $a1 (i32.add (local.get $a) (local.get $aStride)))
    (local.set $a2 (i32.add (local.get $a1) (local.get $aStride)))
    (local.set $a3 (i32.add (local.get $a2) (local.get $aStride)))
    (local.set $c1 (i32.add (local.get $c) (local.get $cStride)))
    (local.set $c2 (i32.add (local.get $c1) (local.get $cStride)))
    (local.set $c3 (i32.add (local.get $c2) (local.get $cStride)))
    (local.set $end (i32.add (local.get $a) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $a) (local.get $end)))
        (local.set $b0 (v128.load (local.get $b)))
        (local.set $b1 (v128.load offset=16 (local.get $b)))
        (local.set $x (v128.load32_splat (local.get $a)))
        (local.set $s00 (f32x4.add (local.get $s00) (f32x4.mul (local.get $x) (local.get $b0))))
        (local.set $s01 (f32x4.add (local.get $s01) (f32x4.mul (local.get $x) (local.get $b1))))
        (local.set $x (v128.load32_splat (local.get $a1)))
        (local.set $s10 (f32x4.add (local.get $s10) (f32x4.mul (local.get $x) (local.get $b0))))
        (local.set $s11 (f32x4.add (local.get $s11) (f32x4.mul (local.get $x) (local.get $b1))))
        (local.set $x (v128.load32_splat (local.get $a2)))
        (local.set $s20 (f32x4.add (local.get $s20) (f32x4.mul (local.get $x) (local.get $b0))))
        (local.set $s21 (f32x4.add (local.get $s21) (f32x4.mul (local.get $x) (local.get $b1))))
        (local.set $x (v128.load32_splat (local.get $a3)))
        (local.set $s30 (f32x4.add (local.get $s30) (f32x4.mul (local.get $x) (local.get $b0))))
        (local.set $s31 (f32x4.add (local.get $s31) (f32x4.mul (local.get $x) (local.get $b1))))
        (local.set $a (i32.add (local.get $a) (i32.const 4)))
        (local.set $a1 (i32.add (local.get $a1) (i32.const 4)))
        (local.set $a2 (i32.add (local.get $a2) (i32.const 4)))
        (local.set $a3 (i32.add (local.get $a3) (i32.const 4)))
        (local.set $b (i32.add (local.get $b) (local.get $bStride)))
        (br $next)))
    (if (local.get $add) (then
      (local.set $s00 (f32x4.add (local.get $s00) (v128.load (local.get $c))))
      (local.set $s01 (f32x4.add (local.get $s01) (v128.load offset=16 (local.get $c))))
      (local.set $s10 (f32x4.add (local.get $s10) (v128.load (local.get $c1))))
      (local.set $s11 (f32x4.add (local.get $s11) (v128.load offset=16 (local.get $c1))))
      (local.set $s20 (f32x4.add (local.get $s20) (v128.load (local.get $c2))))
      (local.set $s21 (f32x4.add (local.get $s21) (v128.load offset=16 (local.get $c2))))
      (local.set $s30 (f32x4.add (local.get $s30) (v128.load (local.get $c3))))
      (local.set $s31 (f32x4.add (local.get $s31) (v128.load offset=16 (local.get $c3))))))
    (v128.store (local.get $c) (local.get $s00))
    (v128.store offset=16 (local.get $c) (local.get $s01))
    (v128.store (local.get $c1) (local.get $s10))
    (v128.store offset=16 (local.get $c1) (local.get $s11))
    (v128.store (local.get $c2) (local.get $s20))
    (v128.store offset=16 (local.get $c2) (local.get $s21))
    (v128.store (local.get $c3) (local.get $s30))
    (v128.store offset=16 (local.get $c3) (local.get $s31)))

  ;; The same for `tiles` times four rows of A and C, and eight columns of B packed as 32-byte rows.
  (func (export "multiply")
    (param $a i32) (param $aStride i32) (param $tiles i32) (param $b i32) (param $count i32)
    (param $c i32) (param $cStride i32) (param $add i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $tiles)))
        (call $tile (local.get $a) (local.get $aStride) (local.get $b) (i32.const 32) (local.get $count)
          (local.get $c) (local.get $cStride) (local.get $add))
        (local.set $a (i32.add (local.get $a) (i32.shl (local.get $aStride) (i32.const 2))))
        (local.set $c (i32.add (local.get $c) (i32.shl (local.get $cStride) (i32.const 2))))
        (local.set $tiles (i32.sub (local.get $tiles) (i32.const 1)))
        (br $next))))

  ;; e^x; 0 below −87 and ∞ from 88.4 on, where floats end. x = n·ln 2 + r, n the nearest integer (adding 1.5 · 2^23 leaves it in
  ;; the low bits), ln 2 in two parts so that n times the first is exact; e^r is its Taylor polynomial: |r| ≤ 0.347, so the
  ;; terms from r^8/8! on are below 6e-9 of it. 2^n is n + 127 as an exponent. NaN stays NaN.
  (func $exp (param $x v128) (result v128)
    (local $clamped v128) (local $n v128) (local $r v128)
    (local.set $clamped (f32x4.pmin
      (f32x4.pmax (local.get $x) (v128.const f32x4 -87 -87 -87 -87)) (v128.const f32x4 89 89 89 89)))
    (local.set $n (f32x4.add (v128.const f32x4 12582912 12582912 12582912 12582912)
      (f32x4.mul (local.get $clamped) (v128.const f32x4 1.44269504 1.44269504 1.44269504 1.44269504))))
    (local.set $r (f32x4.sub (local.get $n) (v128.const f32x4 12582912 12582912 12582912 12582912)))
    (local.set $r (f32x4.sub
      (f32x4.sub (local.get $clamped)
        (f32x4.mul (local.get $r) (v128.const f32x4 0.693359375 0.693359375 0.693359375 0.693359375)))
      (f32x4.mul (local.get $r)
        (v128.const f32x4 -2.12194440e-4 -2.12194440e-4 -2.12194440e-4 -2.12194440e-4))))
    (v128.andnot
      (f32x4.mul
        (i32x4.shl (i32x4.add (local.get $n) (v128.const i32x4 127 127 127 127)) (i32.const 23))
        (f32x4.add (v128.const f32x4 1 1 1 1) (f32x4.mul (local.get $r)
        (f32x4.add (v128.const f32x4 1 1 1 1) (f32x4.mul (local.get $r)
        (f32x4.add (v128.const f32x4 0.5 0.5 0.5 0.5) (f32x4.mul (local.get $r)
        (f32x4.add (v128.const f32x4 0.166666667 0.166666667 0.166666667 0.166666667) (f32x4.mul (local.get $r)
        (f32x4.add (v128.const f32x4 0.0416666667 0.0416666667 0.0416666667 0.0416666667) (f32x4.mul (local.get $r)
        (f32x4.add (v128.const f32x4 0.00833333333 0.00833333333 0.00833333333 0.00833333333) (f32x4.mul (local.get $r)
        (f32x4.add (v128.const f32x4 0.00138888889 0.00138888889 0.00138888889 0.00138888889) (f32x4.mul (local.get $r)
          (v128.const f32x4 0.000198412698 0.000198412698 0.000198412698 0.000198412698))))))))))))))))
      (f32x4.lt (local.get $x) (v128.const f32x4 -87 -87 -87 -87))))

  ;; One row of an online softmax (arXiv 1805.02867): scores [0, limit) become exp(score − maximum). `state` holds the
  ;; maximum and the sum of all exponentials so far, `out` the weighted values so far; both are rescaled to the new maximum.
  ;; As long as the maximum is −∞, nothing is subtracted. Scores from `limit` on to the next multiple of four become 0.
  (func $softmaxRow
    (param $scores i32) (param $limit i32) (param $state i32) (param $out i32) (param $outEnd i32)
    (local $at i32) (local $end i32) (local $vector v128) (local $sums v128) (local $before f32) (local $maximum f32)
    (local.set $at (i32.add (local.get $scores) (i32.shl (local.get $limit) (i32.const 2))))
    (local.set $end (i32.and (i32.add (local.get $at) (i32.const 15)) (i32.const -16)))
    (block $filled
      (loop $fill
        (br_if $filled (i32.ge_u (local.get $at) (local.get $end)))
        (f32.store (local.get $at) (f32.const -inf))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $fill)))
    (local.set $vector (v128.const f32x4 -inf -inf -inf -inf))
    (local.set $at (local.get $scores))
    (block $compared
      (loop $next
        (br_if $compared (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $vector (f32x4.pmax (local.get $vector) (v128.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (local.set $before (f32.load (local.get $state)))
    (local.set $maximum (f32.max (local.get $before) (f32.max
      (f32.max (f32x4.extract_lane 0 (local.get $vector)) (f32x4.extract_lane 1 (local.get $vector)))
      (f32.max (f32x4.extract_lane 2 (local.get $vector)) (f32x4.extract_lane 3 (local.get $vector))))))
    (if (f32.gt (local.get $maximum) (local.get $before)) (then
      (f32.store (local.get $state) (local.get $maximum))
      (local.set $vector (call $exp (f32x4.splat (f32.sub (local.get $before) (local.get $maximum)))))
      (f32.store offset=4 (local.get $state)
        (f32.mul (f32.load offset=4 (local.get $state)) (f32x4.extract_lane 0 (local.get $vector))))
      (loop $rescale
        (v128.store (local.get $out) (f32x4.mul (v128.load (local.get $out)) (local.get $vector)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br_if $rescale (i32.lt_u (local.get $out) (local.get $outEnd))))))
    (if (f32.eq (local.get $maximum) (f32.const -inf)) (then (local.set $maximum (f32.const 0))))
    (local.set $at (local.get $scores))
    (block $summed
      (loop $next
        (br_if $summed (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $vector
          (call $exp (f32x4.sub (v128.load (local.get $at)) (f32x4.splat (local.get $maximum)))))
        (v128.store (local.get $at) (local.get $vector))
        (local.set $sums (f32x4.add (local.get $sums) (local.get $vector)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (f32.store offset=4 (local.get $state) (f32.add (f32.load offset=4 (local.get $state)) (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $sums)) (f32x4.extract_lane 1 (local.get $sums)))
      (f32.add (f32x4.extract_lane 2 (local.get $sums)) (f32x4.extract_lane 3 (local.get $sums)))))))

  ;; Adds weight · value row to an output row.
  (func $addRow (param $weight i32) (param $value i32) (param $out i32) (param $outEnd i32)
    (local $factor v128)
    (local.set $factor (v128.load32_splat (local.get $weight)))
    (loop $next
      (v128.store (local.get $out)
        (f32x4.add (v128.load (local.get $out)) (f32x4.mul (local.get $factor) (v128.load (local.get $value)))))
      (local.set $value (i32.add (local.get $value) (i32.const 16)))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $out) (local.get $outEnd)))))

  ;; Takes one block of at most 128 keys into the attention of `tiles` times four queries of `channels`. Of a block, query i
  ;; sees the first limits[i]; limits ascend or descend. Keys are packed by eight (key-major within a channel), value and output rows are
  ;; `rowBytes` apart, a multiple of 32. `state`: maximum and sum of each query. `scores`: room for 4 · 128 floats, aligned
  ;; to 16 bytes.
  (func (export "attend")
    (param $query i32) (param $channels i32) (param $tiles i32) (param $limits i32) (param $keys i32) (param $values i32)
    (param $rowBytes i32) (param $state i32) (param $out i32) (param $scores i32)
    (local $queryBytes i32) (local $limit i32) (local $common i32) (local $t i32) (local $r i32) (local $row i32)
    (local.set $queryBytes (i32.shl (local.get $channels) (i32.const 2)))
    (block $done
      (loop $nextTile
        (br_if $done (i32.eqz (local.get $tiles)))
        (local.set $common (i32.load (local.get $limits)))
        (local.set $limit (i32.load offset=12 (local.get $limits)))
        (if (i32.lt_u (local.get $limit) (local.get $common)) (then
          (local.set $t (local.get $limit))
          (local.set $limit (local.get $common))
          (local.set $common (local.get $t))))
        (local.set $t (i32.const 0))
        (block $scored
          (loop $next
            (br_if $scored (i32.ge_u (local.get $t) (local.get $limit)))
            (call $tile (local.get $query) (local.get $queryBytes)
              (i32.add (local.get $keys) (i32.mul (local.get $t) (local.get $queryBytes)))
              (i32.const 32) (local.get $channels)
              (i32.add (local.get $scores) (i32.shl (local.get $t) (i32.const 2))) (i32.const 512) (i32.const 0))
            (local.set $t (i32.add (local.get $t) (i32.const 8)))
            (br $next)))
        (local.set $r (i32.const 0))
        (loop $nextRow
          (local.set $limit (i32.load (i32.add (local.get $limits) (i32.shl (local.get $r) (i32.const 2)))))
          (local.set $row (i32.add (local.get $out) (i32.mul (local.get $r) (local.get $rowBytes))))
          (if (local.get $limit) (then
            (call $softmaxRow
              (i32.add (local.get $scores) (i32.shl (local.get $r) (i32.const 9)))
              (local.get $limit)
              (i32.add (local.get $state) (i32.shl (local.get $r) (i32.const 3)))
              (local.get $row) (i32.add (local.get $row) (local.get $rowBytes)))))
          ;; What the later queries of a tile see beyond the first one: no weight of 0 may meet a NaN there.
          (local.set $t (local.get $common))
          (block $added
            (loop $next
              (br_if $added (i32.ge_u (local.get $t) (local.get $limit)))
              (call $addRow
                (i32.add (local.get $scores)
                  (i32.add (i32.shl (local.get $r) (i32.const 9)) (i32.shl (local.get $t) (i32.const 2))))
                (i32.add (local.get $values) (i32.mul (local.get $t) (local.get $rowBytes)))
                (local.get $row) (i32.add (local.get $row) (local.get $rowBytes)))
              (local.set $t (i32.add (local.get $t) (i32.const 1)))
              (br $next)))
          (local.set $r (i32.add (local.get $r) (i32.const 1)))
          (br_if $nextRow (i32.lt_u (local.get $r) (i32.const 4))))
        (if (local.get $common) (then
          (local.set $t (i32.const 0))
          (loop $next
            (call $tile (local.get $scores) (i32.const 512)
              (i32.add (local.get $values) (local.get $t)) (local.get $rowBytes) (local.get $common)
              (i32.add (local.get $out) (local.get $t)) (local.get $rowBytes) (i32.const 1))
            (local.set $t (i32.add (local.get $t) (i32.const 32)))
            (br_if $next (i32.lt_u (local.get $t) (local.get $rowBytes))))))
        (local.set $query (i32.add (local.get $query) (i32.shl (local.get $queryBytes) (i32.const 2))))
        (local.set $out (i32.add (local.get $out) (i32.shl (local.get $rowBytes) (i32.const 2))))
        (local.set $state (i32.add (local.get $state) (i32.const 32)))
        (local.set $limits (i32.add (local.get $limits) (i32.const 16)))
        (local.set $tiles (i32.sub (local.get $tiles) (i32.const 1)))
        (br $nextTile))))

  ;; Weights exp(score − log-sum-exp) of four queries of `channels` and the first limits[i] of the keys, which are packed by
  ;; eight; limits ascend. Rows of weights are `stride` apart, a multiple of 32; behind a limit lies anything.
  (func (export "weigh")
    (param $query i32) (param $channels i32) (param $keys i32) (param $limits i32) (param $logSumExp i32)
    (param $weights i32) (param $stride i32)
    (local $queryBytes i32) (local $t i32) (local $limit i32) (local $r i32) (local $end i32) (local $shift v128)
    (local.set $queryBytes (i32.shl (local.get $channels) (i32.const 2)))
    (local.set $limit (i32.load offset=12 (local.get $limits)))
    (block $scored
      (loop $next
        (br_if $scored (i32.ge_u (local.get $t) (local.get $limit)))
        (call $tile (local.get $query) (local.get $queryBytes)
          (i32.add (local.get $keys) (i32.mul (local.get $t) (local.get $queryBytes)))
          (i32.const 32) (local.get $channels)
          (i32.add (local.get $weights) (i32.shl (local.get $t) (i32.const 2))) (local.get $stride) (i32.const 0))
        (local.set $t (i32.add (local.get $t) (i32.const 8)))
        (br $next)))
    (loop $nextRow
      (local.set $t (i32.add (local.get $weights) (i32.mul (local.get $r) (local.get $stride))))
      (local.set $end (i32.add (local.get $t)
        (i32.shl (i32.load (i32.add (local.get $limits) (i32.shl (local.get $r) (i32.const 2)))) (i32.const 2))))
      (local.set $shift (v128.load32_splat (i32.add (local.get $logSumExp) (i32.shl (local.get $r) (i32.const 2)))))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $t) (local.get $end)))
          (v128.store (local.get $t) (call $exp (f32x4.sub (v128.load (local.get $t)) (local.get $shift))))
          (local.set $t (i32.add (local.get $t) (i32.const 16)))
          (br $next)))
      (local.set $r (i32.add (local.get $r) (i32.const 1)))
      (br_if $nextRow (i32.lt_u (local.get $r) (i32.const 4)))))

  ;; C = A · B in double precision, for `tiles` times four rows of A and C, and four columns of B. A: rows `aStride` apart, `count`
  ;; numbers each. B: `count` rows of four numbers. C: rows `cStride` apart. Sums in order of A's numbers, as in plain code.
  (func (export "multiplyDoubles")
    (param $a i32) (param $aStride i32) (param $tiles i32) (param $b i32) (param $count i32) (param $c i32) (param $cStride i32)
    (local $a0 i32) (local $a1 i32) (local $a2 i32) (local $a3 i32) (local $at i32) (local $end i32)
    (local $x v128) (local $b0 v128) (local $b1 v128)
    (local $s00 v128) (local $s01 v128) (local $s10 v128) (local $s11 v128)
    (local $s20 v128) (local $s21 v128) (local $s30 v128) (local $s31 v128)
    (local.set $end (i32.add (local.get $b) (i32.shl (local.get $count) (i32.const 5))))
    (block $done
      (loop $nextTile
        (br_if $done (i32.eqz (local.get $tiles)))
        (local.set $a0 (local.get $a))
        (local.set $a1 (i32.add (local.get $a0) (local.get $aStride)))
        (local.set $a2 (i32.add (local.get $a1) (local.get $aStride)))
        (local.set $a3 (i32.add (local.get $a2) (local.get $aStride)))
        (local.set $s00 (v128.const f64x2 0 0)) (local.set $s01 (v128.const f64x2 0 0))
        (local.set $s10 (v128.const f64x2 0 0)) (local.set $s11 (v128.const f64x2 0 0))
        (local.set $s20 (v128.const f64x2 0 0)) (local.set $s21 (v128.const f64x2 0 0))
        (local.set $s30 (v128.const f64x2 0 0)) (local.set $s31 (v128.const f64x2 0 0))
        (local.set $at (local.get $b))
        (block $summed
          (loop $next
            (br_if $summed (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $b0 (v128.load (local.get $at)))
            (local.set $b1 (v128.load offset=16 (local.get $at)))
            (local.set $x (v128.load64_splat (local.get $a0)))
            (local.set $s00 (f64x2.add (local.get $s00) (f64x2.mul (local.get $x) (local.get $b0))))
            (local.set $s01 (f64x2.add (local.get $s01) (f64x2.mul (local.get $x) (local.get $b1))))
            (local.set $x (v128.load64_splat (local.get $a1)))
            (local.set $s10 (f64x2.add (local.get $s10) (f64x2.mul (local.get $x) (local.get $b0))))
            (local.set $s11 (f64x2.add (local.get $s11) (f64x2.mul (local.get $x) (local.get $b1))))
            (local.set $x (v128.load64_splat (local.get $a2)))
            (local.set $s20 (f64x2.add (local.get $s20) (f64x2.mul (local.get $x) (local.get $b0))))
            (local.set $s21 (f64x2.add (local.get $s21) (f64x2.mul (local.get $x) (local.get $b1))))
            (local.set $x (v128.load64_splat (local.get $a3)))
            (local.set $s30 (f64x2.add (local.get $s30) (f64x2.mul (local.get $x) (local.get $b0))))
            (local.set $s31 (f64x2.add (local.get $s31) (f64x2.mul (local.get $x) (local.get $b1))))
            (local.set $a0 (i32.add (local.get $a0) (i32.const 8)))
            (local.set $a1 (i32.add (local.get $a1) (i32.const 8)))
            (local.set $a2 (i32.add (local.get $a2) (i32.const 8)))
            (local.set $a3 (i32.add (local.get $a3) (i32.const 8)))
            (local.set $at (i32.add (local.get $at) (i32.const 32)))
            (br $next)))
        (v128.store (local.get $c) (local.get $s00))
        (v128.store offset=16 (local.get $c) (local.get $s01))
        (local.set $c (i32.add (local.get $c) (local.get $cStride)))
        (v128.store (local.get $c) (local.get $s10))
        (v128.store offset=16 (local.get $c) (local.get $s11))
        (local.set $c (i32.add (local.get $c) (local.get $cStride)))
        (v128.store (local.get $c) (local.get $s20))
        (v128.store offset=16 (local.get $c) (local.get $s21))
        (local.set $c (i32.add (local.get $c) (local.get $cStride)))
        (v128.store (local.get $c) (local.get $s30))
        (v128.store offset=16 (local.get $c) (local.get $s31))
        (local.set $c (i32.add (local.get $c) (local.get $cStride)))
        (local.set $a (i32.add (local.get $a) (i32.shl (local.get $aStride) (i32.const 2))))
        (local.set $tiles (i32.sub (local.get $tiles) (i32.const 1)))
        (br $nextTile))))

  ;; The largest of `count` numbers in double precision, an even count and not 0; NaN is less than any.
  (func (export "largestDouble") (param $x i32) (param $count i32) (result f64)
    (local $end i32) (local $best v128)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $count) (i32.const 3))))
    (local.set $best (f64x2.splat (f64.const -inf)))
    (loop $next
      (local.set $best (f64x2.pmax (local.get $best) (v128.load (local.get $x))))
      (local.set $x (i32.add (local.get $x) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $x) (local.get $end))))
    (f64x2.extract_lane 0 (f64x2.pmax (local.get $best)
      (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $best) (local.get $best)))))

  ;; peaks[t] becomes x[t] − by where that is larger: `count` numbers in double precision, an even count and not 0.
  (func (export "raiseDoubles") (param $peaks i32) (param $x i32) (param $count i32) (param $by f64)
    (local $end i32) (local $shift v128)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $count) (i32.const 3))))
    (local.set $shift (f64x2.splat (local.get $by)))
    (loop $next
      (v128.store (local.get $peaks) (f64x2.pmax (v128.load (local.get $peaks))
        (f64x2.sub (v128.load (local.get $x)) (local.get $shift))))
      (local.set $peaks (i32.add (local.get $peaks) (i32.const 16)))
      (local.set $x (i32.add (local.get $x) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $x) (local.get $end))))))
