// A line for each sensor over the day, as SVG.

import { heartbeat, task } from "#sandstep";

interface Point {
  minute: number;
  celsius: number;
}

export interface Sensor {
  name: string;
  points: Point[];
}

interface Series {
  title: string;
  sensors: Sensor[];
}

const WIDTH = 640;
const HEIGHT = 320;
const MARGIN = 40;
const COLOURS = ["#c0392b", "#2471a3", "#1e8449", "#b7950b", "#7d3c98"];

type Scale = (value: number) => number;

function scale(from: number, to: number, low: number, high: number): Scale {
  const span = to - from || 1;
  return (value) => Math.round((low + ((value - from) / span) * (high - low)) * 10) / 10;
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Full steps of 5 around the values, for lines to be read off. */
export function grid(values: number[], step = 5): number[] {
  const first = Math.floor(Math.min(...values) / step);
  const last = Math.ceil(Math.max(...values) / step);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

export function draw({ title, sensors }: Series): string {
  const points = sensors.flatMap((sensor) => sensor.points);
  const levels = grid(points.map((point) => point.celsius));
  const minutes = points.map((point) => point.minute);
  const x = scale(Math.min(...minutes), Math.max(...minutes), MARGIN, WIDTH - MARGIN);
  const y = scale(levels[0] ?? 0, levels[levels.length - 1] ?? 0, HEIGHT - MARGIN, MARGIN);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<text x="${MARGIN}" y="24" font-size="16">${escaped(title)}</text>`,
  ];
  for (const level of levels) {
    parts.push(`<path d="M${MARGIN} ${y(level)}H${WIDTH - MARGIN}" stroke="#ddd"/>`);
    parts.push(`<text x="4" y="${y(level) + 4}">${level} °C</text>`);
  }
  sensors.forEach((sensor, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const line = sensor.points.map((point) => `${x(point.minute)},${y(point.celsius)}`).join(" ");
    parts.push(`<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    parts.push(`<text x="${MARGIN + index * 100}" y="${HEIGHT - 12}" fill="${colour}">${escaped(sensor.name)}</text>`);
    heartbeat();
  });
  console.info("drew", points.length, "points");
  return [...parts, "</svg>"].join("\n");
}

export const handler = task(draw);
