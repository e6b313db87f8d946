import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  // Relative addresses, so that the pages work below any path prefix.
  base: "./",
  plugins: [react()],
  resolve: { conditions: ["source", "module", "browser", "development|production"] },
  build: {
    target: "es2022",
    // Files in place of data: and inline code, which the content security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    rollupOptions: { output: { entryFileNames: "assets/[name]-[hash].js", chunkFileNames: "assets/[name]-[hash].js" } },
  },
  server: {
    // `npm run dev` sends what is for the API to a server that runs beside it.
    proxy: { "/trunkline.v1.": { target: process.env.TRUNKLINE_URL ?? "http://127.0.0.1:8080", changeOrigin: true } },
  },
});
