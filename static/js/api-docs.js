// The API's description as a page. Requests tried here go to this site only; those that ride on
// the site's session carry its CSRF token.

const root = document.getElementById("api-docs");

window.SwaggerUIBundle({
  url: root.dataset.schema,
  domNode: root,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  requestInterceptor(request) {
    const own = new URL(request.url, document.baseURI).origin === window.location.origin;
    if (own && !request.loadSpec && request.method !== "GET") {
      request.headers["X-CSRFToken"] = root.dataset.csrf;
    }
    return request;
  },
});
