import { useEffect, useRef, useState } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { words } from '../words.js';

export interface Line {
  label: string;
  values: readonly number[];
}

const height = 170;
const dark = matchMedia('(prefers-color-scheme: dark)');
const colours = () => (dark.matches ? ['#a3b1ff', '#f0a35e', '#6fd3a0'] : ['#3a4bd0', '#b4520a', '#177245']);

/** Lines over time; also as a table, for those who do not see them. */
export function Chart({
  title,
  times,
  lines,
  format,
  least = 4,
}: {
  title: string;
  times: readonly number[];
  lines: readonly Line[];
  format(value: number): string;
  /** What the axis reaches to at least. */
  least?: number;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const [theme, setTheme] = useState(dark.matches);
  useEffect(() => {
    const change = () => setTheme(dark.matches);
    dark.addEventListener('change', change);
    return () => dark.removeEventListener('change', change);
  }, []);
  const labels = lines.map(({ label }) => label).join();
  useEffect(() => {
    const element = place.current!;
    const style = getComputedStyle(element);
    const axis = {
      stroke: style.getPropertyValue('--soft'),
      grid: { stroke: style.getPropertyValue('--line'), width: 1 },
      ticks: { show: false },
    };
    const made = new UPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { y: false },
        legend: { live: true },
        scales: {
          x: {
            range: (_plot, low, high) => (low < high ? [low, high] : [Date.now() / 1_000 - 60, Date.now() / 1_000]),
          },
          y: { range: (_plot, _low, high) => [0, Math.max(least, (high || 0) * 1.1)] },
        },
        axes: [axis, { ...axis, size: 66, values: (_plot, values) => values.map(format) }],
        series: [
          {},
          ...lines.map(({ label }, index) => ({
            label,
            stroke: colours()[index]!,
            width: 1.75,
            points: { show: false },
            value: (_plot: UPlot, value: number | null) => (value === null ? '–' : format(value)),
          })),
        ],
      },
      [[...times], ...lines.map(({ values }) => [...values])],
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
    // It is made anew only for other lines or another theme; data is set below.
  }, [labels, theme]);
  useEffect(() => plot.current?.setData([[...times], ...lines.map(({ values }) => [...values])]), [times, lines]);
  const rows = times.map((time, index) => ({ time, values: lines.map(({ values }) => values[index] ?? 0) })).slice(-12);
  return (
    <figure className="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} aria-hidden="true" />
      <details>
        <summary>{words.overview.table}</summary>
        <table>
          <caption className="unseen">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{words.overview.time}</th>
              {lines.map(({ label }) => (
                <th key={label} scope="col" className="number">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ time, values }) => (
              <tr key={time}>
                <td>{new Date(time * 1_000).toLocaleTimeString()}</td>
                {values.map((value, index) => (
                  <td key={index} className="number">
                    {format(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
