import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { root } from './setup.mjs';

/**
 * A Chromium to test with.
 * @typedef {object} Browser
 * @property {string} executablePath
 * @property {string} origin in words: where it comes from
 * @property {Record<string, string>} env variables it needs on top of the process's own
 */

const commands = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge-stable',
];
const places = [
  '/opt/google/chrome/chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

const FONT_SETTINGS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

function isExecutable(/** @type {string} */ path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds Chrome or Chromium: $CHROME_PATH, else one that is installed, else the one that the development packages carry.
 * @returns {Browser}
 * @throws {Error} with one sentence if there is none
 */
export function findBrowser() {
  const asked = process.env.CHROME_PATH;
  if (asked) {
    if (!isExecutable(asked))
      throw new Error(`CHROME_PATH names ${asked}, which is no program: mend or unset it.`);
    return { executablePath: asked, origin: 'named by CHROME_PATH', env: {} };
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const onPath = commands.flatMap((command) => folders.map((folder) => join(folder, command)));
  const installed = [...onPath, ...places].find(isExecutable);
  if (installed) return { executablePath: installed, origin: 'installed on this machine', env: {} };
  const carried = unpackCarriedChromium();
  if (!carried) {
    throw new Error('No Chrome or Chromium was found: install one, or set CHROME_PATH to its program.');
  }
  return {
    executablePath: join(carried, 'chromium'),
    origin: 'carried by the package @sparticuz/chromium',
    env: {
      LD_LIBRARY_PATH: [carried, join(carried, 'al2023', 'lib'), process.env.LD_LIBRARY_PATH]
        .filter(Boolean)
        .join(':'),
      FONTCONFIG_PATH: join(carried, 'fonts'),
    },
  };
}

/**
 * Unpacks the Chromium of @sparticuz/chromium, with the libraries that a bare Linux lacks, into the package cache.
 * @returns {string | null} its folder; null on other systems than Linux on x64, for which it carries none
 */
function unpackCarriedChromium() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const packageFolder = join(root, 'node_modules', '@sparticuz', 'chromium');
  if (!existsSync(packageFolder)) return null;
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));
  const cache = join(root, 'node_modules', '.cache', 'keyhole');
  const folder = join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const unfinished = mkdtempSync(join(cache, 'unpacking-'));
  // The package unpacks into the system's temporary folder, and its libraries only if it believes to run on Lambda.
  // Its own process, given our folder and that belief, leaves this one's environment alone.
  execFileSync(
    process.execPath,
    ['--input-type=module', '-e', "await (await import('@sparticuz/chromium')).default.executablePath()"],
    { cwd: root, env: { ...process.env, TMPDIR: unfinished, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' } },
  );
  // Its own settings look for the fonts where Lambda has them.
  writeFileSync(join(unfinished, 'fonts', 'fonts.conf'), FONT_SETTINGS);
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another process was faster.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/**
 * Folder of SwiftShader, the Vulkan driver without a GPU that Chromium ships with, together with a Vulkan loader.
 * @returns {string | null}
 */
function findSwiftShader() {
  const browserFolders = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'];
  if (process.env.CHROME_PATH) browserFolders.unshift(dirname(process.env.CHROME_PATH));
  const beside = browserFolders.find((folder) =>
    ['vk_swiftshader_icd.json', 'libvk_swiftshader.so', 'libvulkan.so.1'].every((name) =>
      existsSync(join(folder, name)),
    ),
  );
  return beside ?? unpackCarriedChromium();
}

/**
 * Variables that let the npm package `webgpu` (Dawn in Node) run on a machine without a Vulkan loader or without a GPU.
 * They work only in a process that starts with them: the dynamic loader reads LD_LIBRARY_PATH once. Empty where Chromium
 * ships no SwiftShader (macOS has Metal).
 * @param {'hardware' | 'swiftshader'} driver `hardware`: Chromium's Vulkan loader with the machine's own drivers
 * @returns {Record<string, string>}
 */
export function vulkanEnvironment(driver) {
  const folder = findSwiftShader();
  if (!folder) return {};
  const loader = { LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':') };
  return driver === 'hardware'
    ? loader
    : { ...loader, VK_DRIVER_FILES: join(folder, 'vk_swiftshader_icd.json') };
}

/**
 * Flags for Dawn, in Node (`create(dawnFlags)`) and in a Chromium (each behind `--`), where it runs on SwiftShader. The driver writes
 * out the zeroing of workgroup memory that WGSL promises store by store, which is two thirds of its time for our largest kernels; without
 * this extension of Vulkan's Dawn zeroes it in a loop of the kernel's own.
 */
export const softwareDawnFlags = [
  'disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
];

// A page under test talks to nothing but its own server.
const silent = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

/**
 * Arguments of a Chromium to test with.
 * @param {'cpu' | 'webgpu'} mode `cpu`: nothing that concerns WebGPU; `webgpu`: an adapter on SwiftShader
 */
export function chromiumFlags(mode) {
  return mode === 'cpu'
    ? silent
    : [
        ...silent,
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        ...softwareDawnFlags.map((flag) => `--${flag}`),
      ];
}
