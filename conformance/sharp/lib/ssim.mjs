// Structural similarity of two grey pictures, after Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality
// Assessment: From Error Visibility to Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004: gaussian
// windows of 11 by 11 with a deviation of 1.5, K1 0.01, K2 0.03, the mean over all windows that lie inside the picture.
//
// A picture narrower or lower than 11 gets windows as wide or as high as it is.

const SIZE = 11;
const DEVIATION = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/** 1 for equal pictures, less for others. `a` and `b` hold width * height values from 0 to 255. */
export function ssim(a, b, width, height) {
  const across = gaussian(Math.min(SIZE, width));
  const down = gaussian(Math.min(SIZE, height));
  const mean = (values) => filtered(values, width, height, across, down);
  const product = (x, y) => Float64Array.from(x, (value, i) => value * y[i]);

  const [meanA, meanB] = [mean(a), mean(b)];
  const [squareA, squareB, both] = [mean(product(a, a)), mean(product(b, b)), mean(product(a, b))];
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const [ma, mb] = [meanA[i], meanB[i]];
    const varianceA = squareA[i] - ma * ma;
    const varianceB = squareB[i] - mb * mb;
    const covariance = both[i] - ma * mb;
    sum += ((2 * ma * mb + C1) * (2 * covariance + C2)) / ((ma * ma + mb * mb + C1) * (varianceA + varianceB + C2));
  }
  return sum / meanA.length;
}

function gaussian(size) {
  const middle = (size - 1) / 2;
  const weights = Array.from({ length: size }, (_, i) => Math.exp(-((i - middle) ** 2) / (2 * DEVIATION ** 2)));
  const sum = weights.reduce((total, weight) => total + weight);
  return weights.map((weight) => weight / sum);
}

/** The weighted means under each window: first along rows, then along columns. */
function filtered(values, width, height, across, down) {
  const columns = width - across.length + 1;
  const rows = height - down.length + 1;
  const half = new Float64Array(columns * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < across.length; k++) sum += across[k] * values[y * width + x + k];
      half[y * columns + x] = sum;
    }
  }
  const out = new Float64Array(columns * rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < down.length; k++) sum += down[k] * half[(y + k) * columns + x];
      out[y * columns + x] = sum;
    }
  }
  return out;
}
