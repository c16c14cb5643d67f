// The entry: a thin React component for Airflow's UI around a page that needs no framework.

import { mount } from "./page.js";

function component(isTab) {
  const { createElement, useEffect, useRef } = globalThis.React;
  const { useNavigate, useSearchParams } = globalThis.ReactRouterDOM;
  return function SiliconFlowGallery({ dagId, runId, taskId, mapIndex }) {
    const place = useRef(null);
    const page = useRef(null);
    const navigate = useRef(null);
    const [search, setSearch] = useSearchParams();
    navigate.current = useNavigate();
    const setter = useRef(null);
    setter.current = setSearch;
    useEffect(() => {
      const fixed = { dag: dagId, run: runId, task: taskId, map_index: mapIndex };
      page.current = mount(place.current, {
        fixed: isTab ? fixed : {},
        search: new URLSearchParams(globalThis.location.search),
        onsearch: (params) => setter.current(params, { replace: true }),
        navigate: (path) => navigate.current(path),
      });
      return () => page.current.destroy();
    }, [dagId, runId, taskId, mapIndex]);
    const text = search.toString();
    useEffect(() => page.current?.setSearch(new URLSearchParams(text)), [text]);
    return createElement("div", { ref: place, className: "sfg-root" });
  };
}

if (globalThis.React && globalThis.ReactRouterDOM) {
  // By our own names: on Airflow 3.1 and 3.2, `AirflowPlugin` may be another plugin's.
  globalThis.Videos = component(false);
  globalThis.Video = component(true);
}

/** The plain page, for an Airflow without React apps. */
export function mountPlain(element) {
  return mount(element, {
    fixed: {},
    search: new URLSearchParams(location.search),
    onsearch: (params) => history.replaceState(null, "", `${location.pathname}?${params}`),
    navigate: null,
  });
}
