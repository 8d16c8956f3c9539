// The page that loads this has loaded the SDK before. As the SDK's own snippet would, only with the addresses of a test.
const { token, server, compressing } = document.currentScript.dataset;
posthog.init(token, {
  api_host: server,
  defaults: "2025-05-24", // page views of single-page parts too
  disable_compression: compressing === "false",
  opt_out_useragent_filter: true, // or nothing is recorded of a browser that is driven
});
