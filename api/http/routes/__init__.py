"""One module per noun. Each lists its routes; `api.http.app` mounts them."""
